"""The Spark session of a run: started on this machine, or that of a cluster."""

import os
import re
from collections.abc import Mapping
from pathlib import Path

from pyspark import SparkConf, SparkContext
from pyspark.find_spark_home import _find_spark_home
from pyspark.sql import SparkSession

from loader.spark import local

SETTINGS = {
    "spark.sql.session.timeZone": "UTC",
    # Two columns may differ in case alone.
    "spark.sql.caseSensitive": "true",
    # Otherwise the workers of a plan and of an apply differ in their environment, and Spark starts
    # a daemon for each.
    "spark.sql.execution.pyspark.udf.simplifiedTraceback.enabled": "false",
    # A second attempt of a slice that is still being written costs twice the write units.
    "spark.speculation": "false",
    "spark.ui.showConsoleProgress": "false",
}
# The JVM's own time zone decides how a JDBC driver reads a timestamp.
TIME_ZONE = "-Duser.timezone=UTC"
JAVA_OPTIONS = ("spark.driver.extraJavaOptions", "spark.executor.extraJavaOptions")
LOCAL_MASTER = re.compile(r"local(\[.*\])?")
JVM_OF_SPARK_SUBMIT = "PYSPARK_GATEWAY_PORT"


def start(
    name: str, packages: list[str], slots: int, log: Path, overrides: Mapping[str, str]
) -> SparkSession:
    """The active session, or a new one, of a cluster or on this machine.

    A session is on this machine unless `--spark-conf`, MASTER, spark-submit or spark-defaults.conf
    names another master; it has `slots` task slots then. A JVM that starts here writes to `log`.
    """
    settings = {**SETTINGS, **overrides}
    if SparkContext._active_spark_context:
        return _session(settings)
    given = {**_defaults(), **overrides}
    is_local = _is_local(given)
    if is_local:
        settings = {**local.settings(packages, slots), **settings}
    else:
        settings.update({option: given.get(option, "") for option in JAVA_OPTIONS})
    for option in JAVA_OPTIONS:
        settings[option] = f"{settings.get(option, '')} {TIME_ZONE}".strip()
    settings["spark.app.name"] = name
    if JVM_OF_SPARK_SUBMIT not in os.environ:
        local.start_jvm(settings, log, is_local)
    return _session(settings)


def _session(settings: Mapping[str, str]) -> SparkSession:
    builder = SparkSession.builder
    for name, value in settings.items():
        if value:
            builder = builder.config(name, value)
    return builder.getOrCreate()


def _is_local(given: Mapping[str, str]) -> bool:
    """Whether Spark runs on this machine, with the loader's settings."""
    if JVM_OF_SPARK_SUBMIT in os.environ or os.environ.get("MASTER"):
        return False
    return bool(LOCAL_MASTER.fullmatch(given.get("spark.master", "local")))


def _defaults() -> dict[str, str]:
    """The settings of spark-submit, or else of spark-defaults.conf."""
    if JVM_OF_SPARK_SUBMIT in os.environ:
        SparkContext._ensure_initialized()
        return dict(SparkConf().getAll())
    folder = os.environ.get("SPARK_CONF_DIR") or Path(_find_spark_home(), "conf")
    file = Path(folder, "spark-defaults.conf")
    lines = file.read_text().splitlines() if file.is_file() else []
    pairs = [re.split(r"[\s=:]+", line.strip(), maxsplit=1) for line in lines]
    return {pair[0]: pair[1] for pair in pairs if len(pair) == 2 and pair[0][0] != "#"}


def start_workers(spark: SparkSession, run: str) -> None:
    """Start the process that Python workers are forked from, in parallel with other work.

    If it cannot start, the first job that needs it fails and reports why.
    """
    spark.sparkContext.setJobGroup(f"{run} workers", "start Python workers")
    spark.sparkContext.parallelize([0], 1).map(bool).collect()
