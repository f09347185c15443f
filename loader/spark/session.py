"""The Spark session of a run: of a Spark that runs already, of a cluster, or on this machine."""

import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from pyspark import SparkContext
from pyspark.sql import SparkSession

from loader.spark import jvm, local, properties
from loader.spark.driver_host import driver_host
from loader.spark.jars import JARS, PACKAGES, add_jars, jar_settings
from loader.spark.properties import DEPLOY_MODE, DRIVER_OPTIONS, MASTER, PYTHON
from loader.spark.session_settings import REQUIRED, SETTINGS, opened, settings_of_run
from loader.warehouse.connection import Driver

# The JVM of spark-submit has these when it starts.
OF_JVM = (
    DRIVER_OPTIONS,
    PACKAGES,
    "spark.driver.extraClassPath",
    "spark.driver.extraLibraryPath",
    "spark.driver.memory",
    DEPLOY_MODE,
)


def start(
    name: str,
    drivers: Sequence[Driver],
    slots: int,
    log: Path,
    overrides: Mapping[str, str],
    seconds: float = jvm.START_SECONDS,
) -> SparkSession:
    """A session with the warehouse's `drivers`. A JVM that starts here writes to `log`.

    It is one of the Spark that runs in this process or that spark-submit has started. Otherwise
    Spark starts: on the cluster that `--spark-conf`, PYSPARK_SUBMIT_ARGS, MASTER or
    spark-defaults.conf names, which may take `seconds`, or on this machine, with `slots` task
    slots.
    """
    if SparkContext._active_spark_context:
        return _of_context(drivers, log, overrides)
    given = properties.given(overrides)
    settings = settings_of_run(name, overrides, given)
    if not properties.starts_jvm():
        return _submitted({**driver_host(given), **settings}, drivers, log, overrides, given)
    settings |= jar_settings(drivers, given, log.parent)
    if properties.is_local(given):
        return local.start(settings, slots, given, log)
    settings = {**driver_host(given), **settings, MASTER: given[MASTER]}
    with jvm.start_failures(settings.get(PACKAGES, ""), log) as log_file:
        context = jvm.start_jvm(settings, log_file, {}, seconds)
        context.pythonExec = given.get(PYTHON) or context.pythonExec
        return opened(settings)


def starts_here(overrides: Mapping[str, str]) -> bool:
    """Whether `start` would start a session on this machine."""
    return not is_running() and properties.is_local(properties.given(overrides))


def is_running() -> bool:
    """Whether another program has started Spark's JVM: a notebook, or spark-submit."""
    return not properties.starts_jvm() or SparkContext._active_spark_context is not None


def _of_context(drivers: Sequence[Driver], log: Path, overrides: Mapping[str, str]) -> SparkSession:
    """The session of the program that has started Spark, or another one: its settings stay."""
    spark = opened({})
    wanted = {**SETTINGS, **overrides, **REQUIRED}
    ours = {name: value for name, value in wanted.items() if spark.conf.isModifiable(name)}
    if any(spark.conf.get(name, None) != value for name, value in ours.items()):
        spark = spark.newSession()
        for name, value in ours.items():
            spark.conf.set(name, value)
    conf = spark.sparkContext.getConf()
    fixed = [name for name in overrides if name not in ours and name != JARS]
    _warn(name for name in fixed if conf.get(name) != overrides[name])
    add_jars(spark, drivers, overrides, log.parent)
    return spark


def _submitted(
    settings: Mapping[str, str],
    drivers: Sequence[Driver],
    log: Path,
    overrides: Mapping[str, str],
    given: Mapping[str, str],
) -> SparkSession:
    """The session of a program that spark-submit has started."""
    submitted = properties.given({})
    _warn(name for name in OF_JVM if name in overrides and overrides[name] != submitted.get(name))
    with jvm.submitted_failures(given.get(MASTER, "")):
        spark = opened(settings)
    add_jars(spark, drivers, given, log.parent)
    return spark


def _warn(without_effect: Iterable[str]) -> None:
    """Print the properties of --spark-conf that come too late."""
    if names := ", ".join(without_effect):
        print(
            f"warning: --spark-conf {names} must be set before Spark starts, got a Spark that runs "
            "already: give it to the program that starts Spark",
            file=sys.stderr,
        )
