"""The settings that each session of a run has, wherever it is."""

from collections.abc import Mapping

from pyspark.sql import SparkSession

from loader.spark import properties
from loader.spark.properties import JAVA_OPTIONS

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


def settings_of_run(
    name: str, overrides: Mapping[str, str], given: Mapping[str, str]
) -> dict[str, str]:
    """The settings of a context that starts now, as the application `name`.

    `overrides` are those of --spark-conf, `given` all that the user gives (`properties.given`).
    """
    java_options = {option: given[option] for option in JAVA_OPTIONS if option in given}
    return {
        **SETTINGS,
        **properties.named(overrides),
        **java_options,
        **REQUIRED,
        "spark.app.name": name,
    }


def opened(settings: Mapping[str, str]) -> SparkSession:
    """The session of the context that runs, or of a new one; an empty setting is Spark's own."""
    builder = SparkSession.builder
    for name, value in settings.items():
        if value:
            builder = builder.config(name, value)
    return builder.getOrCreate()
