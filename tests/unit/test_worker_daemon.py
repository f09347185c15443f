import subprocess
import sys

import pytest

from loader.worker_daemon import archives_last


def test_importing_the_daemon_does_not_import_pandas() -> None:
    code = "import sys, loader.worker_daemon; print('pandas' in sys.modules)"

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout == "False\n"


PATH = [
    "/work",
    "/opt/pyspark/python/lib/pyspark.zip",
    "/opt/pyspark/jars/spark-core_2.13.jar",
    "/mnt/yarn/packages.zip",
    "/opt/python/site-packages",
]


def test_installed_packages_come_before_the_archives_of_spark(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SPARK_HOME", "/opt/pyspark")

    assert archives_last(PATH) == [PATH[0], PATH[3], PATH[4], PATH[1], PATH[2]]


@pytest.mark.parametrize("home", ["", "/elsewhere"])
def test_archives_that_are_not_of_spark_keep_their_place(
    home: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPARK_HOME", home)

    assert archives_last(PATH) == PATH
