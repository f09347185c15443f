"""The Spark session: started for a run, with what a loader needs and the user's own on top."""

import importlib
import os
import sys
from collections.abc import Mapping
from pathlib import Path

import pyspark
from pyspark.sql import SparkSession

from loader.spark import postponed_imports, spark_home
from loader.spark.local import JAVA_OPTIONS, archive_options, jar_settings, output_to, private_files

TASK_ATTEMPTS = 4

# Settings of a Spark that is started here; a cluster's are its own.
LOCAL = ("spark.master", "spark.driver.memory", "spark.memory.", "spark.jars")


def start(
    name: str, packages: list[str], slots: int, log: Path, overrides: Mapping[str, str]
) -> SparkSession:
    """The session of the run; under spark-submit, Glue or EMR the one that is there.

    On its own it runs here with `slots` task slots, and the JVM writes its log to `log` instead
    of between the lines of progress.
    """
    if not pyspark.__version__.startswith("3."):
        # It decides whether numpy is asked about each value that is given to the JVM.
        with postponed_imports.without_numpy():
            importlib.import_module("pyspark.testing.utils")

    builder = SparkSession.builder.appName(name)
    ours = {
        "spark.master": f"local[{slots},{TASK_ATTEMPTS}]",
        **jar_settings(packages),
        "spark.driver.memory": "2g",
        # What is sorted is not copied by the collector.
        "spark.memory.offHeap.enabled": "true",
        "spark.memory.offHeap.size": "1g",
        "spark.driver.extraJavaOptions": f"{JAVA_OPTIONS} {archive_options()}".strip(),
        "spark.executor.extraJavaOptions": "-Duser.timezone=UTC",
        "spark.sql.session.timeZone": "UTC",
        # Two columns may differ in case alone.
        "spark.sql.caseSensitive": "true",
        "spark.python.daemon.module": "loader.worker_daemon",
        # Else a plan's workers have another environment than an apply's, and a daemon of their own.
        "spark.sql.execution.pyspark.udf.simplifiedTraceback.enabled": "false",
        # A second attempt of a slice that is still being written costs twice the write units.
        "spark.speculation": "false",
        "spark.ui.showConsoleProgress": "false",
    }
    given = os.environ.get("MASTER") or "PYSPARK_GATEWAY_PORT" in os.environ
    if given:
        for fixed in [name for name in ours if name.startswith(LOCAL)]:
            ours.pop(fixed)
        ours["spark.driver.extraJavaOptions"] = JAVA_OPTIONS
    else:
        # The UI and the block manager answer on this machine only.
        os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
        os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
        spark_home.use(overrides)
    for key, value in {**ours, **overrides}.items():
        if value:
            builder = builder.config(key, value)
    with output_to(log), private_files():
        return builder.getOrCreate()


def start_workers(spark: SparkSession, run: str) -> None:
    """Have Spark start the process that Python workers are forked from, while other work goes on.

    One that cannot start fails the job that needs it, which says why.
    """
    spark.sparkContext.setJobGroup(f"{run} workers", "start Python workers")
    spark.sparkContext.parallelize([0], 1).map(bool).collect()
