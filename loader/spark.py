"""The Spark session: started for a run, with what a loader needs and the user's own on top."""

import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pyspark.sql import SparkSession

# https://spark.apache.org/docs/latest/#downloading: Spark 4 runs on Java 17 and later.
JAVA_LEAST = 17
TASK_ATTEMPTS = 4

FAILED_TASK = re.compile(r"Task (\d+) in stage \S+ failed")
POLL_SECONDS = 0.2


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
    found = re.search(r'version "(\d+)', banner)
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
    builder = SparkSession.builder.appName(name)
    ours = {
        "spark.master": f"local[{slots},{TASK_ATTEMPTS}]",
        "spark.jars.packages": ",".join(packages),
        "spark.driver.memory": "2g",
        "spark.driver.extraJavaOptions": "-Duser.timezone=UTC",
        "spark.executor.extraJavaOptions": "-Duser.timezone=UTC",
        "spark.sql.session.timeZone": "UTC",
        "spark.python.daemon.module": "loader.daemon",
        # A second attempt of a slice that is still being written costs twice the write units.
        "spark.speculation": "false",
        "spark.ui.showConsoleProgress": "false",
    }
    given = os.environ.get("MASTER") or "PYSPARK_GATEWAY_PORT" in os.environ
    if given:
        for fixed in ("spark.master", "spark.driver.memory", "spark.jars.packages"):
            del ours[fixed]
    else:
        # The UI and the block manager answer on this machine only.
        os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
        os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    for key, value in {**ours, **overrides}.items():
        if value:
            builder = builder.config(key, value)
    with _stderr_to(log):
        return builder.getOrCreate()


@contextmanager
def _stderr_to(log: Path) -> Iterator[None]:
    """Processes started within write their standard error to `log`, for as long as they live."""
    log.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    sys.stderr.flush()
    saved = os.dup(2)
    with open(os.open(log, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600), "wb") as file:
        os.dup2(file.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(saved, 2)
            os.close(saved)


def failure(error: BaseException) -> tuple[int | None, str]:
    """Task number (None if there is none) and cause in one line of a failed Spark action.

    The cause is that of the task, not Spark's wrapping of it.
    """
    text = str(error)
    found = FAILED_TASK.search(text)
    return (int(found[1]) if found else None), root_cause(text)


def root_cause(text: str) -> str:
    """The innermost message of a Java or Python stack trace."""
    python = re.findall(r"^(?:[\w.]+\.)?(\w*(?:Error|Exception)): (.+)$", text, re.MULTILINE)
    if "PythonException" in text and python:
        inner = [message for name, message in python if name != "PythonException"]
        if inner:
            return " ".join(inner[-1].split())
    causes = re.findall(r"Caused by: [\w.$]+(?:: (.+))?", text)
    named = [cause for cause in causes if cause]
    if named:
        return " ".join(named[-1].split())
    java = re.search(r"(?:[\w$]+\.)+[\w$]*(?:Exception|Error): (?!Job aborted)([^\n]+)", text)
    first_line = text.strip().splitlines()[0] if text.strip() else "no message"
    return " ".join((java[1] if java else first_line).split())


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
            show(_tasks_done(tracker, group))

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
