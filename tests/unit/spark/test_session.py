import stat
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import pytest
from py4j.protocol import Py4JNetworkError

from loader.spark.failures import failure, root_cause, throwables
from loader.spark.java import java_problem

JOB = "org.apache.spark.SparkException"
PYTHON = "org.apache.spark.api.python.PythonException"
PSQL = "org.postgresql.util.PSQLException"
JVM_FRAMES = (
    "\n\tat org.postgresql.core.v3.QueryExecutorImpl.receiveErrorResponse(QueryExecutorImpl.java)"
    "\n\tat java.base/java.lang.Thread.run(Thread.java:840)\n\nDriver stacktrace:"
)
TRACEBACK = """Traceback (most recent call last):
  File "/opt/pyspark/worker.py", line 1920, in main
    process()
    ~~~~~~~^^
  File "/opt/loader/storage/location.py", line 64, in create
    with pa.OSFile(partial, "wb") as stream:
         ^^^^^^^^^^^^^^^^^^^^^^^^^
"""


@dataclass
class Throwable:
    """A Java exception as py4j shows it."""

    name: str
    message: str | None
    cause: "Throwable | None" = None

    def getClass(self) -> SimpleNamespace:  # noqa: N802
        return SimpleNamespace(getName=lambda: self.name)

    def getMessage(self) -> str | None:  # noqa: N802
        return self.message

    def getCause(self) -> "Throwable | None":  # noqa: N802
        return self.cause


class Py4JJavaError(Exception):
    """As py4j's own: the Java exception is `java_exception`."""

    def __init__(self, java: Throwable) -> None:
        super().__init__(f"An error occurred while calling o70.collectToPython.\n: {java.name}")
        self.java_exception = java


class CapturedException(Exception):
    """As pyspark's own: the Java exception is `_origin`."""

    def __init__(self, java: Throwable) -> None:
        super().__init__(str(java.message))
        self._origin = java


def aborted(task: int, why: str) -> str:
    return (
        f"Job aborted due to stage failure: Task {task} in stage 1.0 failed 4 times, most recent "
        f"failure: Lost task {task}.3 in stage 1.0 (TID 9) (127.0.0.1 executor driver): {why}"
    )


def test_a_query_that_breaks_off_is_told_by_its_task_and_the_drivers_message() -> None:
    why = 'ERROR: column "x" does not exist\n  Position: 8'
    job = Throwable(JOB, aborted(3, f"{PSQL}: {why}{JVM_FRAMES}"), Throwable(PSQL, why))

    assert failure(Py4JJavaError(job)) == (3, 'ERROR: column "x" does not exist')


def test_an_error_of_python_on_a_worker_is_told_by_its_class_and_message() -> None:
    text = f"{TRACEBACK}OSError: [Errno 28] No space left on device"
    job = Throwable(JOB, aborted(12, f"{PYTHON}: {text}\n{JVM_FRAMES}"), Throwable(PYTHON, text))

    expected = (12, "OSError: [Errno 28] No space left on device")
    assert failure(Py4JJavaError(job)) == expected
    assert failure(CapturedException(job)) == expected


@pytest.mark.parametrize("end", ["", f"\n{JVM_FRAMES}", " SQLSTATE: 38000"])
def test_what_spark_puts_behind_an_error_of_python_is_left_out(end: str) -> None:
    text = f"An exception was thrown from the Python worker:\n{TRACEBACK}ValueError: bad\nvalue"

    assert root_cause([(PYTHON, text + end)]) == "ValueError: bad value"


def test_a_worker_that_cannot_start_says_why() -> None:
    """Spark indents what the process said, and adds what it knows."""
    said = (
        "Error from python worker:\n  Traceback (most recent call last):\n"
        '    File "<frozen runpy>", line 198, in _run_module_as_main\n'
        "  ModuleNotFoundError: No module named 'loader'\nPYTHONPATH was:\n  /opt/pyspark.zip\n"
        f"{JOB}: EOFException occurred while reading the port number{JVM_FRAMES}"
    )

    assert root_cause([(JOB, said)]) == "ModuleNotFoundError: No module named 'loader'"


def test_the_last_of_chained_errors_of_python_is_the_cause() -> None:
    first = f"{TRACEBACK}KeyError: 'a'\n\n"
    second = f"The above exception was the direct cause of the following:\n\n{TRACEBACK}"

    assert root_cause([(PYTHON, f"{first}{second}loader.errors.PlanFailed: broken")]) == (
        "loader.errors.PlanFailed: broken"
    )


def test_a_refused_connection_is_told_with_what_lies_beneath() -> None:
    refused = Throwable("java.net.ConnectException", "Connection refused")
    message = "Connection to 127.0.0.1:5439 refused. Check that the hostname and port are correct"

    assert failure(Py4JJavaError(Throwable(PSQL, message, refused))) == (
        None,
        f"{message} (ConnectException: Connection refused)",
    )


def test_a_cause_that_says_the_same_is_said_once() -> None:
    twice = Throwable("java.sql.SQLException", "denied", Throwable("java.io.IOException", "denied"))

    assert failure(Py4JJavaError(twice)) == (None, "denied")


def test_causes_without_a_message_say_nothing() -> None:
    silent = Throwable("java.io.EOFException", None)
    read = Throwable("java.sql.SQLException", "The connection was lost", silent)

    assert failure(Py4JJavaError(Throwable(JOB, aborted(0, "lost"), read))) == (
        0,
        "The connection was lost",
    )


def test_where_only_spark_speaks_its_first_message_is_the_cause() -> None:
    cause = Throwable("org.apache.spark.SparkOutOfMemoryError", "no room")

    assert failure(CapturedException(Throwable(JOB, "Job 1 cancelled", cause))) == (
        None,
        "Job 1 cancelled",
    )


def test_an_error_of_python_itself_is_its_own_cause() -> None:
    assert failure(RuntimeError("no more\nmemory")) == (None, "no more memory")


@pytest.mark.parametrize(
    ("chain", "cause"), [([(JOB, "")], JOB), ([("java.lang.Error", "")], "java.lang.Error")]
)
def test_an_error_without_any_message_is_told_by_its_class(
    chain: list[tuple[str, str]], cause: str
) -> None:
    assert root_cause(chain) == cause


def test_throwables_are_listed_from_the_outermost_to_the_innermost() -> None:
    job = Throwable(JOB, "outer", Throwable(PSQL, None, Throwable("java.io.IOException", "inner")))

    assert throwables(Py4JJavaError(job)) == [
        (JOB, "outer"),
        (PSQL, ""),
        ("java.io.IOException", "inner"),
    ]
    assert throwables(ValueError("plain")) == [("ValueError", "plain")]


def java(folder: Path, banner: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    program = folder / "java"
    program.write_text(f"#!/bin/sh\ncat >&2 <<'END'\n{banner}\nEND\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return folder


@pytest.fixture
def path(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A folder that is first on PATH; JAVA_HOME is not set."""
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/bin")
    return tmp_path / "bin"


NONE = (
    "Java 17 or later must be installed, got none: install a JDK (Debian: `apt-get install "
    "openjdk-17-jre-headless`, macOS: `brew install openjdk@17`) or set JAVA_HOME"
)


def test_a_missing_java_is_a_problem(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(path))

    assert java_problem() == NONE


@pytest.mark.parametrize(("version", "major"), [("11.0.22", "11"), ("16", "16")])
def test_a_java_that_is_too_old_is_a_problem(path: Path, version: str, major: str) -> None:
    java(path, f'openjdk version "{version}" 2024-01-16\nOpenJDK Runtime Environment')

    assert java_problem() == (
        f"Java must be 17 or later, got {major}: install a newer JDK or point JAVA_HOME to one"
    )


def test_java_8_is_called_8(path: Path) -> None:
    java(path, 'java version "1.8.0_292"')

    assert java_problem() == (
        "Java must be 17 or later, got 8: install a newer JDK or point JAVA_HOME to one"
    )


@pytest.mark.parametrize(
    "banner",
    [
        'openjdk version "17.0.9" 2023-10-17',
        'openjdk version "21" 2023-09-19',
        'Picked up JAVA_TOOL_OPTIONS: -Xmx1g\nopenjdk version "17-ea" 2021-09-14',
    ],
)
def test_java_17_and_later_are_no_problem(path: Path, banner: str) -> None:
    java(path, banner)

    assert java_problem() is None


def test_java_home_comes_before_the_path(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    java(path, 'openjdk version "11.0.22"')
    java(tmp_path / "jdk" / "bin", 'openjdk version "17.0.9"')
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "jdk"))
    found = java_problem()
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "no-jdk"))

    assert (found, java_problem()) == (None, NONE)


@pytest.mark.parametrize(
    "error",
    [Py4JNetworkError("Answer from Java side is empty"), ConnectionRefusedError("is\nrefused")],
)
def test_a_jvm_that_is_gone_is_called_so(error: Exception) -> None:
    shown = " ".join(str(error).split())

    assert failure(error) == (None, f"a JVM of Spark that ended ({shown})")
