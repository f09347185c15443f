"""The Spark session of a run: started on this machine, or that of a cluster."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from pyspark import SparkContext
from pyspark.sql import SparkSession

from loader.spark import jvm, local, properties
from loader.spark.driver_host import driver_host
from loader.spark.jars import PACKAGES, add_jars, jar_settings
from loader.spark.properties import JAVA_OPTIONS, MASTER
from loader.warehouse.connection import Driver

SETTINGS = {
    "spark.sql.session.timeZone": "UTC",
    # Two columns may differ in case alone.
    "spark.sql.caseSensitive": "true",
    # Otherwise each function of a column asks the JVM six times, to note the line that calls it.
    "spark.python.sql.dataFrameDebugging.enabled": "false",
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
# Whatever the user gives: the tasks join texts of 32-bit offsets, which hold a batch.
REQUIRED = {"spark.sql.execution.arrow.useLargeVarTypes": "false"}
# The Python of the executors, as spark-submit takes it.
PYTHON = "spark.pyspark.python"


def start(
    name: str, drivers: Sequence[Driver], slots: int, log: Path, overrides: Mapping[str, str]
) -> SparkSession:
    """The active session, or a new one, of a cluster or on this machine.

    A session is on this machine unless `--spark-conf`, PYSPARK_SUBMIT_ARGS, MASTER, spark-submit or
    spark-defaults.conf names another master; it has `slots` task slots then. Each session has the
    warehouse's `drivers`. A JVM that starts here writes to `log`.
    """
    if SparkContext._active_spark_context:
        spark = _session({**SETTINGS, **overrides, **REQUIRED})
        add_jars(spark, drivers, overrides, log.parent)
        return spark
    given = properties.given(overrides)
    network = driver_host(given)
    java_options = {option: given[option] for option in JAVA_OPTIONS if option in given}
    settings = {**SETTINGS, **network, **properties.named(overrides), **java_options}
    always = {**REQUIRED, "spark.app.name": name}
    if not properties.starts_jvm():
        with jvm.submitted_failures():
            spark = _session({**settings, **always})
        add_jars(spark, drivers, given, log.parent)
        return spark
    is_local = properties.is_local(given)
    ours = local.settings(slots, given) if is_local else {MASTER: given[MASTER]}
    settings |= {**ours, **jar_settings(drivers, given, log.parent), **always}
    with jvm.start_failures(settings.get(PACKAGES, ""), log) as log_file:
        # The Spark UI and the block manager answer on this machine only.
        variables = {"SPARK_LOCAL_IP": "127.0.0.1"} if is_local else {}
        context = jvm.start_jvm(settings, log_file, variables)
        if is_local:
            local.open_session(context)
        if python := given.get(PYTHON):
            context.pythonExec = python
        return _session(settings)


def starts_here(overrides: Mapping[str, str]) -> bool:
    """Whether `start` would start a session on this machine."""
    return not is_running() and properties.is_local(properties.given(overrides))


def is_running() -> bool:
    """Whether another program has started Spark's JVM: a notebook, or spark-submit."""
    return not properties.starts_jvm() or SparkContext._active_spark_context is not None


def _session(settings: Mapping[str, str]) -> SparkSession:
    builder = SparkSession.builder
    for name, value in settings.items():
        if value:
            builder = builder.config(name, value)
    return builder.getOrCreate()
