"""The Spark session of a run: started on this machine, or that of a cluster."""

import os
import re
from collections.abc import Mapping
from pathlib import Path

from pyspark import SparkConf, SparkContext
from pyspark.find_spark_home import _find_spark_home
from pyspark.sql import SparkSession

from loader.spark import jvm, local

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
    # Otherwise workers import a queue.py of the current folder instead of Python's own.
    # https://docs.python.org/3/using/cmdline.html#envvar-PYTHONSAFEPATH
    "spark.executorEnv.PYTHONSAFEPATH": "1",
}
# The JVM's own time zone decides how a JDBC driver reads a timestamp.
TIME_ZONE = "-Duser.timezone=UTC"
JAVA_OPTIONS = (local.DRIVER_OPTIONS, "spark.executor.extraJavaOptions")
LOCAL_MASTER = re.compile(r"local(\[.*\])?")
JVM_OF_SPARK_SUBMIT = "PYSPARK_GATEWAY_PORT"


def start(
    name: str, packages: list[str], slots: int, log: Path, overrides: Mapping[str, str]
) -> SparkSession:
    """The active session, or a new one, of a cluster or on this machine.

    A session is on this machine unless `--spark-conf`, MASTER, spark-submit or spark-defaults.conf
    names another master; it has `slots` task slots then. A JVM that starts here writes to `log`.
    """
    if SparkContext._active_spark_context:
        return _session({**SETTINGS, **overrides})
    given = {**_defaults(), **overrides}
    is_local = _is_local(given)
    java_options = {option: given.get(option, "") for option in JAVA_OPTIONS}
    ours = local.settings(packages, slots, given) if is_local else {}
    settings = {**SETTINGS, **overrides, **java_options, **ours, "spark.app.name": name}
    for option in JAVA_OPTIONS:
        settings[option] = f"{settings[option]} {TIME_ZONE}".strip()
    if JVM_OF_SPARK_SUBMIT not in os.environ:
        # The Spark UI and the block manager answer on this machine only.
        environment = {"SPARK_LOCAL_IP": "127.0.0.1"} if is_local else {}
        context = jvm.start_jvm(settings, log, environment)
        if is_local:
            local.open_session(context)
    return _session(settings)


def starts_here(overrides: Mapping[str, str]) -> bool:
    """Whether `start` would start a session on this machine."""
    return not is_running() and _is_local({**_defaults(), **overrides})


def is_running() -> bool:
    """Whether another program has started Spark's JVM: a notebook, or spark-submit."""
    return JVM_OF_SPARK_SUBMIT in os.environ or SparkContext._active_spark_context is not None


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
