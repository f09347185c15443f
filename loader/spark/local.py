"""Settings and savings for a Spark that the loader starts on this machine.

docs/decisions/0006-start-with-less-work.md lists the CPU time that each saving saves.
"""

import hashlib
import importlib
import importlib.util
import os
import re
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from importlib.abc import MetaPathFinder
from importlib.metadata import version
from pathlib import Path
from types import ModuleType
from typing import Any

import pyspark
from py4j.protocol import Py4JError
from pyspark import SparkContext
from pyspark.find_spark_home import _find_spark_home
from pyspark.sql import SparkSession

from loader.spark import java
from loader.storage.location import make_private

TASK_ATTEMPTS = 4
DAEMON, WORKER_DAEMON = "spark.python.daemon.module", "loader.worker_daemon"
DRIVER_OPTIONS = "spark.driver.extraJavaOptions"

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
COLLECTOR = re.compile(r"-XX:\+Use\w+GC\b")
ENVIRONMENT_OF_JAVA = ("JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS", "_JAVA_OPTIONS")

# From this version on the JVM itself makes an archive of classes that is missing.
# https://openjdk.org/jeps/350, https://bugs.openjdk.org/browse/JDK-8261455
JAVA_MAKES_ARCHIVE = 19
# Time after which another load may make an archive that is still missing.
CLAIM_SECONDS = 3600
# By default the JVM reports an archive that does not fit on standard output.
QUIET = "-Xlog:disable -Xlog:all=warning:stderr"

# Where Spark 4 and Spark 3.5 keep resolved packages.
IVY_HOMES = (".ivy2.5.2", ".ivy2")


def settings(packages: list[str], slots: int, given: Mapping[str, str]) -> dict[str, str]:
    """The settings of a session on this machine, for a user who has given some of their own.

    A setting of the user stays; jars and Java options are in addition to the loader's.
    """
    ours = {
        "spark.master": f"local[{slots},{TASK_ATTEMPTS}]",
        "spark.driver.memory": "2g",
        # The collector does not copy what is sorted.
        "spark.memory.offHeap.enabled": "true",
        "spark.memory.offHeap.size": "1g",
        DAEMON: WORKER_DAEMON,
    }
    jars = {
        name: ",".join(filter(None, [given.get(name), files]))
        for name, files in jar_settings(packages).items()
    }
    user_options = given.get(DRIVER_OPTIONS, "")
    options = " ".join(filter(None, [java_options(user_options), archive_options(), user_options]))
    kept = {name: value for name, value in ours.items() if name not in given}
    return {**kept, **jars, DRIVER_OPTIONS: options}


def java_options(user_options: str = "") -> str:
    """The JVM's compiler and collector; a collector that the user names stays."""
    named = " ".join([user_options, *(os.environ.get(name, "") for name in ENVIRONMENT_OF_JAVA)])
    return COMPILER if COLLECTOR.search(named) else f"{COMPILER} -XX:+UseParallelGC"


def archive() -> Path:
    """The file of Spark's classes, in the JVM's in-memory format.

    It is in the user's cache, which exists and can be written after `pip install` too. An archive
    fits one Java and one set of jars, so its name has both.
    """
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    jars = Path(_find_spark_home(), "jars")
    identity = f"{java.banner()} {jars} {jars.stat().st_mtime_ns if jars.is_dir() else ''}"
    digest = hashlib.blake2b(identity.encode(), digest_size=8).hexdigest()
    return Path(cache, "redshift-to-dynamodb", f"spark-{pyspark.__version__}-{digest}.jsa")


def archive_options() -> str:
    """Options with which the JVM uses the archive or, if it is missing, makes it when it ends.

    Before Java 19 `python -m loader.spark.class_archive` makes it.
    """
    file = archive()
    option = f'-XX:SharedArchiveFile="{file}"'
    if file.is_file():
        return f"{option} {QUIET}"
    if (java.version() or 0) < JAVA_MAKES_ARCHIVE or not _claimed(file):
        return ""
    # With warnings, the log would name every class that is left out.
    return f"-XX:+AutoCreateSharedArchive {option} {QUIET.replace('warning', 'error')}"


def _claimed(file: Path) -> bool:
    """Whether this load is the one that makes the archive: two would write to the same file."""
    claim = file.with_suffix(".claim")
    try:
        make_private(file.parent)
        with suppress(FileNotFoundError):
            if time.time() - claim.stat().st_mtime > CLAIM_SECONDS:
                claim.unlink()
        os.close(os.open(claim, os.O_CREAT | os.O_EXCL, 0o600))
    except OSError:
        return False
    return True


def jar_settings(packages: list[str]) -> dict[str, str]:
    """Spark's setting for the packages: their files, if Ivy has fetched them before.

    Asking Ivy for them takes 0.7 CPU seconds and, without a network, a minute.
    """
    if not packages:
        return {}
    names = [f"{package.replace(':', '_', 1).replace(':', '-')}.jar" for package in packages]
    for folder in (Path.home() / home / "jars" for home in IVY_HOMES):
        if all((folder / name).is_file() for name in names):
            return {"spark.jars": ",".join(str(folder / name) for name in names)}
    return {"spark.jars.packages": ",".join(packages)}


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
