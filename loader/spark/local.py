"""Settings and savings for a Spark that the loader starts on this machine.

docs/decisions/0006-start-with-less-work.md lists the CPU time that each saving saves.
"""

import importlib
import importlib.util
import os
import re
import sys
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from importlib.abc import MetaPathFinder
from importlib.metadata import version
from types import ModuleType
from typing import Any

from py4j.protocol import Py4JError
from pyspark import SparkContext
from pyspark.sql import SparkSession

from loader import machine
from loader.spark.archive import archive_options
from loader.spark.java import OPTION_VARIABLES
from loader.spark.memory import memory_settings
from loader.spark.properties import DRIVER_OPTIONS

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


def open_session(context: SparkContext) -> None:
    """Open the session without the extensions that Spark's jars bring, which are MLlib's functions.

    Registering them takes 0.5 CPU seconds. With `spark.sql.extensions`, or on a
    Spark without this constructor, pyspark opens the session.
    """
    context.pythonExec = os.environ.get("PYSPARK_PYTHON", sys.executable)
    jvm: Any = context._jvm
    if context.getConf().contains("spark.sql.extensions"):
        return
    no_map = jvm.PythonUtils.toScalaMap({})
    with suppress(Py4JError, TypeError):
        none = jvm.scala.Option.empty()
        extensions = jvm.org.apache.spark.sql.SparkSessionExtensions()
        arguments = (context._jsc.sc(), none, none, extensions, no_map, no_map)
        SparkSession(context, jvm.org.apache.spark.sql.classic.SparkSession(*arguments))


def start_workers(spark: SparkSession, run: str) -> None:
    """Start the process that Python workers are forked from, while other work goes on.

    If it cannot start, the first job that needs it fails and reports why. Another session starts
    its workers with the first job.
    """
    context = spark.sparkContext
    if context.getConf().get(DAEMON) == WORKER_DAEMON:
        context.setJobGroup(f"{run} workers", "start Python workers")
        context.parallelize([0], 1).map(bool).collect()


class _HiddenPandas(MetaPathFinder):
    def find_spec(self, name: str, path: object, target: object = None) -> None:
        if name == "pandas":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


class _PostponedPandas(ModuleType):
    """Has the version of pandas; the use of any other attribute imports pandas."""

    def __getattr__(self, name: str) -> Any:
        if sys.modules.get("pandas") is self:
            import pyarrow as pa

            del sys.modules["pandas"]
            importlib.import_module("pandas")
            pa.array([0]).to_pandas()  # pyarrow looks for pandas again
        return getattr(importlib.import_module("pandas"), name)


def postpone_pandas() -> None:
    """Import pandas when this process uses it, not when pyarrow or pyspark looks for it.

    Importing it takes 0.35 CPU seconds, once in the driver and once for all workers. A pandas that
    is imported already, or is not installed, stays as it is.
    """
    spec = importlib.util.find_spec("pandas")
    if "pandas" in sys.modules or spec is None:
        return
    hidden = _HiddenPandas()
    sys.meta_path.insert(0, hidden)
    try:
        import pyarrow as pa

        pa.array([0])  # pyarrow looks for pandas with its first list
    finally:
        sys.meta_path.remove(hidden)
    postponed = _PostponedPandas("pandas")
    postponed.__spec__ = spec
    postponed.__file__ = spec.origin  # `inspect` looks for the file of every module
    postponed.__version__ = version("pandas")  # type: ignore[attr-defined]
    sys.modules["pandas"] = postponed
