"""The Spark session: started for a run, with what a loader needs and the user's own on top."""

import importlib
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from itertools import takewhile
from pathlib import Path
from typing import Any

import pyspark
from py4j.protocol import Py4JError, Py4JNetworkError
from pyspark.sql import SparkSession

from loader import class_archive, postponed_imports, spark_home
from loader.storage.location import make_private

# https://spark.apache.org/docs/latest/#downloading: Spark 4 runs on Java 17 and later.
JAVA_LEAST = 17
TASK_ATTEMPTS = 4
# HotSpot compiles a method at five times the usual counts of calls, and optimises it at sixteen
# times those, at forty times those of loops: a load is over in seconds to minutes, and compiling
# took as much CPU as reading a million rows (docs/performance.md). Spark's classes alone need more
# than the 20 MB at which the first collection for their sake would begin.
JAVA_OPTIONS = (
    "-Duser.timezone=UTC -XX:+UseParallelGC -XX:MetaspaceSize=256m "
    "-XX:Tier3InvocationThreshold=1000 -XX:Tier3MinInvocationThreshold=500 "
    "-XX:Tier3CompileThreshold=10000 -XX:Tier4InvocationThreshold=80000 "
    "-XX:Tier4MinInvocationThreshold=9600 -XX:Tier4CompileThreshold=240000 "
    "-XX:Tier4BackEdgeThreshold=1600000"
)
# Settings of a Spark that is started here; a cluster's are its own.
LOCAL = ("spark.master", "spark.driver.memory", "spark.memory.", "spark.jars")
# Where Spark 4 and Spark 3.5 keep the packages that they have resolved.
IVY_HOMES = (".ivy2.5.2", ".ivy2")

FAILED_TASK = re.compile(r"Task (\d+) in stage \S+ failed")
PYTHON_TRACEBACK = "Traceback (most recent call last)"
SPARK = "org.apache.spark."
POSITION = re.compile(r"\s+Position: \d+")
POLL_SECONDS = 0.5


def java_problem() -> str | None:
    """Why Spark could not start on this machine's Java, or None."""
    home = os.environ.get("JAVA_HOME")
    java = str(Path(home) / "bin" / "java") if home else shutil.which("java")
    if not java or not Path(java).exists():
        return (
            f"Java {JAVA_LEAST} or later must be installed, got none: install a JDK "
            f"(Debian: `apt-get install openjdk-{JAVA_LEAST}-jre-headless`, macOS: "
            f"`brew install openjdk@{JAVA_LEAST}`) or set JAVA_HOME"
        )
    banner = subprocess.run([java, "-version"], capture_output=True, text=True, check=False).stderr
    found = re.search(r'version "(?:1\.)?(\d+)', banner)
    if found and int(found[1]) < JAVA_LEAST:
        return (
            f"Java must be {JAVA_LEAST} or later, got {found[1]}: install a newer JDK or point "
            "JAVA_HOME to one"
        )
    return None


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
        "spark.driver.extraJavaOptions": f"{JAVA_OPTIONS} {class_archive.jvm_options()}".strip(),
        "spark.executor.extraJavaOptions": "-Duser.timezone=UTC",
        "spark.sql.session.timeZone": "UTC",
        # Two columns may differ in case alone.
        "spark.sql.caseSensitive": "true",
        "spark.python.daemon.module": "loader.daemon",
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
    with _output_to(log), _private_files():
        return builder.getOrCreate()


def jar_settings(packages: list[str]) -> dict[str, str]:
    """Spark's setting for the packages: their files, where Ivy has fetched them before.

    Asking Ivy for what is there takes 0.7 CPU seconds and, without a network, a minute.
    """
    if not packages:
        return {}
    names = [f"{package.replace(':', '_', 1).replace(':', '-')}.jar" for package in packages]
    for folder in (Path.home() / home / "jars" for home in IVY_HOMES):
        if all((folder / name).is_file() for name in names):
            return {"spark.jars": ",".join(str(folder / name) for name in names)}
    return {"spark.jars.packages": ",".join(packages)}


@contextmanager
def _private_files() -> Iterator[None]:
    """The JVM and its workers, started within, make files that are their owner's alone.

    Spark makes the folders of what a sort spills, which are rows, as the umask says.
    """
    before = os.umask(0o077)
    try:
        yield
    finally:
        os.umask(before)


@contextmanager
def _output_to(log: Path) -> Iterator[None]:
    """Processes started within write to `log`, for as long as they live.

    The JVM ends after the loader: who reads the loader's output from a pipe would wait for it.
    """
    make_private(log.parent)
    sys.stdout.flush()
    sys.stderr.flush()
    saved = os.dup(1), os.dup(2)
    with open(os.open(log, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600), "wb") as file:
        for stream in (1, 2):
            os.dup2(file.fileno(), stream)
        try:
            yield
        finally:
            for stream, was in zip((1, 2), saved, strict=True):
                os.dup2(was, stream)
                os.close(was)


def start_workers(spark: SparkSession, run: str) -> None:
    """Have Spark start the process that Python workers are forked from, while other work goes on.

    One that cannot start fails the job that needs it, which says why.
    """
    spark.sparkContext.setJobGroup(f"{run} workers", "start Python workers")
    spark.sparkContext.parallelize([0], 1).map(bool).collect()


def failure(error: BaseException) -> tuple[int | None, str]:
    """Task number (None where Spark does not say) and cause in one line of a failed action."""
    if isinstance(error, (Py4JNetworkError, ConnectionError)):
        return None, _one_line(f"a JVM of Spark that ended ({error})")
    chain = throwables(error)
    found = FAILED_TASK.search("\n".join([str(error), *(message for _, message in chain)]))
    return (int(found[1]) if found else None), root_cause(chain)


def throwables(error: BaseException) -> list[tuple[str, str]]:
    """Class and message of the error and of what caused it, the outermost first.

    For an error of the JVM these are Java's; pyspark keeps only the outermost message.
    """
    java: Any = getattr(error, "java_exception", None) or getattr(error, "_origin", None)
    if java is None:
        return [(type(error).__name__, str(error))]
    chain = []
    while java is not None:
        chain.append((java.getClass().getName(), java.getMessage() or ""))
        java = java.getCause()
    return chain


def root_cause(chain: list[tuple[str, str]]) -> str:
    """What a person needs to know, in one line: the driver's or the task's message, not Spark's."""
    traceback = next((message for _, message in chain if PYTHON_TRACEBACK in message), None)
    if traceback:
        return _one_line(_python_message(traceback))
    foreign = [(name, text) for name, text in chain if text and not name.startswith(SPARK)]
    if not foreign:
        return _one_line(chain[0][1] or chain[0][0])
    (_, outer), (name, inner) = foreign[0], foreign[-1]
    # "The connection attempt failed." says little without its UnknownHostException.
    return _one_line(outer if inner == outer else f"{outer} ({name.rpartition('.')[2]}: {inner})")


def _python_message(traceback: str) -> str:
    """The lines after a traceback's last frame: class and message of the error.

    That of a worker that could not start is indented, and something else follows it.
    """
    begin = traceback.rindex(PYTHON_TRACEBACK)
    margin = traceback[traceback.rfind("\n", 0, begin) + 1 : begin]
    margin = margin if margin.isspace() else ""
    first, *more = traceback[begin:].splitlines()
    own = takewhile(lambda line: line.startswith(margin), more)
    lines = [first, *(line.removeprefix(margin) for line in own)]
    frames = [n for n, line in enumerate(lines) if line.startswith('  File "')]
    after = [n for n, line in enumerate(lines) if n > frames[-1] and not line.startswith("    ")]
    return "\n".join(lines[after[0] :]).split(" SQLSTATE: ")[0].split("\n\tat ")[0]


def _one_line(text: str) -> str:
    """One line, without the place in a statement that nobody has seen."""
    return " ".join(POSITION.sub("", text).split())


@contextmanager
def watched(
    spark: SparkSession, group: str, step: str, show: Callable[[int], None]
) -> Iterator[None]:
    """Name the jobs started within, in the Spark UI too, and show how many tasks are done."""
    context = spark.sparkContext
    context.setJobGroup(group, step)
    done = threading.Event()
    tracker = context.statusTracker()

    def poll() -> None:
        while not done.wait(POLL_SECONDS):
            try:
                tasks = _tasks_done(tracker, group)
            except (Py4JError, OSError):
                return  # the JVM is gone: the job that is watched fails, and says so
            show(tasks)

    thread = threading.Thread(target=poll, daemon=True)
    thread.start()
    try:
        yield
    except KeyboardInterrupt:
        context.cancelJobGroup(group)
        raise
    finally:
        done.set()
        thread.join()


def _tasks_done(tracker: Any, group: str) -> int:
    stages = [
        tracker.getStageInfo(stage)
        for job in tracker.getJobIdsForGroup(group)
        for stage in tracker.getJobInfo(job).stageIds
    ]
    return sum(stage.numCompletedTasks for stage in stages if stage)
