"""The Spark that the loader starts on this machine: its settings and savings.

docs/decisions/0006-start-with-less-work.md lists the CPU time that each saving saves.
"""

import os
import re
import sys
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from py4j.protocol import Py4JError
from pyspark import SparkContext
from pyspark.sql import SparkSession

from loader import machine
from loader.spark import jvm
from loader.spark.archive import archive_options
from loader.spark.jars import PACKAGES
from loader.spark.java import OPTION_VARIABLES
from loader.spark.memory import memory_settings
from loader.spark.properties import DRIVER_OPTIONS, PYTHON
from loader.spark.session_settings import opened

TASK_ATTEMPTS = 4
DAEMON, WORKER_DAEMON = "spark.python.daemon.module", "loader.worker_daemon"

# A load takes seconds to minutes, and compiling took as much CPU as reading a million rows. So
# HotSpot compiles a method after five times as many calls as usual, and optimises it after sixteen
# times as many, or forty times as many loops. Spark's classes need more than the 20 MB at which
# the first collection of classes would start.
COMPILER = (
    "-XX:MetaspaceSize=256m "
    "-XX:Tier3InvocationThreshold=1000 -XX:Tier3MinInvocationThreshold=500 "
    "-XX:Tier3CompileThreshold=10000 -XX:Tier4InvocationThreshold=80000 "
    "-XX:Tier4MinInvocationThreshold=9600 -XX:Tier4CompileThreshold=240000 "
    "-XX:Tier4BackEdgeThreshold=1600000"
)
# A task that waits for the warehouse cannot be stopped. After this time of the default of 30 s, a
# JVM that ends removes its temporary files, which have rows, without waiting for the task.
SHUTDOWN = "-Dspark.shutdown.timeout=3s"
COLLECTOR = re.compile(r"-XX:\+Use\w+GC\b")
# The Spark UI and the block manager answer on this machine only.
VARIABLES = {"SPARK_LOCAL_IP": "127.0.0.1"}


def start(
    settings_of_run: Mapping[str, str], slots: int, given: Mapping[str, str], log: Path
) -> SparkSession:
    """Start a JVM that writes to `log`, with the settings of the run and those of this module."""
    all_settings = {**settings_of_run, **settings(slots, given)}
    with jvm.start_failures(all_settings.get(PACKAGES, ""), log) as log_file:
        context = jvm.start_jvm(all_settings, log_file, VARIABLES)
        _open_session(context)
        default = os.environ.get("PYSPARK_PYTHON", sys.executable)
        context.pythonExec = given.get(PYTHON) or default
        return opened(all_settings)


def settings(slots: int, given: Mapping[str, str]) -> dict[str, str]:
    """The settings of a session on this machine, for a user who has given some of their own.

    A setting of the user stays; Java options are in addition to the loader's.
    """
    ours = {
        "spark.master": f"local[{slots},{TASK_ATTEMPTS}]",
        # The collector does not copy what is sorted outside of the heap.
        "spark.memory.offHeap.enabled": "true",
        **memory_settings(slots, machine.memory()),
        # 16 other programs on this machine may have a Spark UI already.
        "spark.port.maxRetries": "1000",
        DAEMON: WORKER_DAEMON,
    }
    user_options = given.get(DRIVER_OPTIONS, "")
    options = [java_options(user_options), archive_options(), SHUTDOWN]
    # Java knows no TMPDIR.
    if (folder := tempfile.gettempdir()) != "/tmp":  # noqa: S108  Java's own default
        ours["spark.local.dir"] = folder
        options.append(f'-Djava.io.tmpdir="{folder}"')
    options.append(user_options)
    kept = {name: value for name, value in ours.items() if name not in given}
    return {**kept, DRIVER_OPTIONS: " ".join(filter(None, options))}


def java_options(user_options: str = "") -> str:
    """The JVM's compiler and collector; a collector that the user names stays."""
    named = " ".join([user_options, *(os.environ.get(name, "") for name in OPTION_VARIABLES)])
    return COMPILER if COLLECTOR.search(named) else f"{COMPILER} -XX:+UseParallelGC"


def _open_session(context: SparkContext) -> None:
    """Open the session without the extensions that Spark's jars bring, which are MLlib's functions.

    Registering them takes 0.5 CPU seconds. With `spark.sql.extensions`, or on a
    Spark without this constructor, pyspark opens the session.
    """
    if context.getConf().contains("spark.sql.extensions"):
        return
    java: Any = context._jvm
    no_map = java.PythonUtils.toScalaMap({})
    with suppress(Py4JError, TypeError):
        none = java.scala.Option.empty()
        extensions = java.org.apache.spark.sql.SparkSessionExtensions()
        arguments = (context._jsc.sc(), none, none, extensions, no_map, no_map)
        SparkSession(context, java.org.apache.spark.sql.classic.SparkSession(*arguments))


def start_workers(spark: SparkSession, run: str) -> None:
    """Start the process that Python workers are forked from, while other work goes on.

    If it cannot start, the first job that needs it fails and reports why. Another session starts
    its workers with the first job.
    """
    context = spark.sparkContext
    if context.getConf().get(DAEMON) == WORKER_DAEMON:
        context.setJobGroup(f"{run} workers", "start Python workers")
        context.parallelize([0], 1).map(bool).collect()
