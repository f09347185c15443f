import subprocess
import sys

from loader.worker_daemon import unzipped


def test_an_installed_pyspark_is_imported_from_its_folder() -> None:
    lib = "/venv/site-packages/pyspark/python/lib"
    path = [f"{lib}/pyspark.zip", f"{lib}/py4j-0.10.9.9-src.zip", "", "/venv/site-packages"]

    assert unzipped(path) == ["", "/venv/site-packages"]


def test_a_pyspark_that_only_spark_brings_stays_in_its_archive() -> None:
    path = [
        "/usr/lib/spark/python/lib/pyspark.zip",
        "/elsewhere/pyspark/python/lib/pyspark.zip",
        "/mnt/yarn/packages.zip",
        "/venv/site-packages",
    ]

    assert unzipped(path) == path


def test_the_jar_of_sparks_core_is_no_place_to_search_and_those_of_others_are() -> None:
    path = ["/venv/spark/jars/spark-core_2.13-4.0.0.jar", "/opt/rules.jar", "/venv/site-packages"]

    assert unzipped(path) == ["/opt/rules.jar", "/venv/site-packages"]


def test_importing_the_daemon_leaves_pandas_out() -> None:
    code = "import sys, loader.worker_daemon; print('pandas' in sys.modules)"

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout == "False\n"
