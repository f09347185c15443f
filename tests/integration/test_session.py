"""The session that the loader starts on this machine, in processes of its own."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from loader.spark.session import start

# Variables that pyspark sets for its driver.
OF_PYSPARK = [["SPARK_AUTH_SOCKET_TIMEOUT", "15"], ["SPARK_BUFFER_SIZE", "65536"]]

CODE = """
import json, os, sys
from pathlib import Path
from loader.spark.archive import archive
from loader.spark.postponed_pandas import postpone_pandas
from loader.spark.session import start
from pyspark.sql import functions as F

postpone_pandas()
archive().parent.mkdir(parents=True)
archive().touch()
environment, umask = set(os.environ.items()), os.umask(0o022)
os.umask(umask)
spark = start("test", [], 2, Path(sys.argv[1]), {"spark.ui.enabled": "false"})
postponed = "pandas.core" not in sys.modules
import pandas as pd

@F.pandas_udf("double")
def halved(values: pd.Series) -> pd.Series:
    return values / 2

def doubled(batches):
    for batch in batches:
        yield batch.from_pandas(batch.to_pandas() * 2)

rows = spark.range(1, 3)
java = spark._jvm.java.lang.management.ManagementFactory.getRuntimeMXBean().getInputArguments()
print(json.dumps({
    "pandas_udf": rows.select(halved("id").alias("id")).toPandas()["id"].tolist(),
    "to_pandas": [row.id for row in rows.mapInArrow(doubled, "id long").collect()],
    "postponed": postponed,
    "archive": f"-XX:SharedArchiveFile={archive()}" in java,
    "python": spark.sparkContext.pythonExec == sys.executable,
    "address": spark._jvm.System.getenv("SPARK_LOCAL_IP"),
    "environment": sorted(set(os.environ.items()) - environment),
    "umask": umask == os.umask(umask),
    "notes_call_sites": spark.conf.get("spark.python.sql.dataFrameDebugging.enabled"),
}))
print("to standard error", file=sys.stderr)
"""


def run(code: str, *arguments: object) -> "subprocess.CompletedProcess[str]":
    # An earlier session in the process of the tests has set the variables of pyspark.
    environment = {k: v for k, v in os.environ.items() if k not in dict(OF_PYSPARK)}
    return subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.integration
def test_a_local_session_runs_pandas_and_changes_nothing_of_its_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "my cache"))
    log = tmp_path / "made" / "spark.log"
    done = run(CODE, log)

    assert json.loads(done.stdout) == {
        "pandas_udf": [0.5, 1.0],
        "to_pandas": [2, 4],
        "postponed": True,
        "archive": True,
        "python": True,
        "address": "127.0.0.1",
        "environment": OF_PYSPARK,
        "umask": True,
        "notes_call_sites": "false",
    }
    assert done.stderr == "to standard error\n"
    assert "Setting default log level" in log.read_text()


FAILS = """
import sys
from pathlib import Path
from loader.errors import Refused
from loader.spark.session import start

try:
    start("test", [], 2, Path(sys.argv[1]), {sys.argv[2]: sys.argv[3]})
except Refused as refused:
    print(refused)
"""


@pytest.mark.integration
@pytest.mark.parametrize(
    ("setting", "value", "cause"),
    [
        (
            "spark.driver.extraJavaOptions",
            "-XX:+UseG1GC -XX:+UseSerialGC",
            "Multiple garbage collectors selected",
        ),
        pytest.param("spark.driver.extraJavaOptions", "-version", "openjdk", id="exit code 0"),
        (
            "spark.driver.memory",
            "200m",
            "[INVALID_DRIVER_MEMORY.SYSTEM_MEMORY] ",
        ),
    ],
)
def test_a_spark_that_does_not_start_is_reported_with_its_cause_and_its_log(
    setting: str, value: str, cause: str, tmp_path: Path
) -> None:
    log = tmp_path / "spark.log"
    done = run(FAILS, log, setting, value)

    assert done.stdout.startswith(f"cannot start Spark: {cause}")
    assert done.stdout.endswith(f" See {log}\n")
    assert done.stderr == ""


WITHOUT_SAVINGS = """
import sys
from pathlib import Path
from loader.spark.session import start

settings = {
    "spark.ui.enabled": "false",
    "spark.sql.extensions": "org.apache.spark.sql.ml.InternalFunctionRegistration",
    "spark.python.daemon.module": "pyspark.daemon",
}
spark = start("test", [], 2, Path(sys.argv[1]), settings)
print(spark.sparkContext.parallelize([1, 2, 3], 2).map(str).collect())
"""


@pytest.mark.integration
def test_a_session_works_without_the_worker_daemon_the_archive_and_the_loaders_way_to_open_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert run(WITHOUT_SAVINGS, tmp_path / "spark.log").stdout == "['1', '2', '3']\n"


@pytest.mark.integration
def test_a_program_that_has_started_spark_keeps_the_settings_of_its_session(
    spark: SparkSession, tmp_path: Path
) -> None:
    """A notebook goes on with its own time zone after a load."""
    zone, moment = "spark.sql.session.timeZone", "1970-01-01 00:00:00"
    spark.conf.set(zone, "Asia/Tokyo")
    try:
        own = start("test", [], 2, tmp_path / "spark.log", {"spark.sql.shuffle.partitions": "3"})

        texts = [
            session.sql("select string(timestamp_seconds(0)) as text").first()
            for session in (own, spark)
        ]
    finally:
        spark.conf.set(zone, "UTC")
    assert texts == [(moment,), ("1970-01-01 09:00:00",)]
    assert own.conf.get("spark.sql.shuffle.partitions") == "3"
    assert spark.conf.get("spark.sql.shuffle.partitions") != "3"
    assert own.sparkContext is spark.sparkContext
