from dataclasses import dataclass
from types import SimpleNamespace

import pytest
from py4j.protocol import Py4JNetworkError

from loader.spark.failures import failure, root_cause, start_failure, throwables

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


def test_a_failed_query_is_reported_with_its_task_and_the_message_of_the_driver() -> None:
    why = 'ERROR: column "x" does not exist\n  Position: 8'
    job = Throwable(JOB, aborted(3, f"{PSQL}: {why}{JVM_FRAMES}"), Throwable(PSQL, why))

    assert failure(Py4JJavaError(job)) == (3, 'ERROR: column "x" does not exist')


def test_a_python_error_on_a_worker_is_reported_with_its_class_and_message() -> None:
    text = f"{TRACEBACK}OSError: [Errno 28] No space left on device"
    job = Throwable(JOB, aborted(12, f"{PYTHON}: {text}\n{JVM_FRAMES}"), Throwable(PYTHON, text))

    expected = (12, "OSError: [Errno 28] No space left on device")
    assert failure(Py4JJavaError(job)) == expected
    assert failure(CapturedException(job)) == expected


@pytest.mark.parametrize("end", ["", f"\n{JVM_FRAMES}", " SQLSTATE: 38000"])
def test_the_text_that_spark_appends_to_a_python_error_is_left_out(end: str) -> None:
    text = f"An exception was thrown from the Python worker:\n{TRACEBACK}ValueError: bad\nvalue"

    assert root_cause([(PYTHON, text + end)]) == "ValueError: bad value"


def test_the_error_of_a_worker_that_did_not_start_is_its_cause() -> None:
    """Spark indents the output of the process and adds text of its own."""
    message = (
        "Error from python worker:\n  Traceback (most recent call last):\n"
        '    File "<frozen runpy>", line 198, in _run_module_as_main\n'
        "  ModuleNotFoundError: No module named 'loader'\nPYTHONPATH was:\n  /opt/pyspark.zip\n"
        f"{JOB}: EOFException occurred while reading the port number{JVM_FRAMES}"
    )

    assert root_cause([(JOB, message)]) == "ModuleNotFoundError: No module named 'loader'"


def test_a_message_of_the_loader_is_shown_without_its_class() -> None:
    error = "loader.errors.StorageFailed: cannot write to s3://b/x: AccessDenied: no. Grant it"

    assert root_cause([(PYTHON, f"{TRACEBACK}{error}")]) == (
        "cannot write to s3://b/x: AccessDenied: no. Grant it"
    )


def test_the_last_of_chained_python_errors_is_the_cause() -> None:
    first = f"{TRACEBACK}KeyError: 'a'\n\n"
    second = f"The above exception was the direct cause of the following:\n\n{TRACEBACK}"

    assert root_cause([(PYTHON, f"{first}{second}loader.errors.PlanFailed: broken")]) == (
        "loader.errors.PlanFailed: broken"
    )


def test_a_refused_connection_is_reported_with_its_innermost_cause() -> None:
    refused = Throwable("java.net.ConnectException", "Connection refused")
    message = "Connection to 127.0.0.1:5439 refused. Check that the hostname and port are correct"

    assert failure(Py4JJavaError(Throwable(PSQL, message, refused))) == (
        None,
        f"{message} (ConnectException: Connection refused)",
    )


def test_causes_with_the_same_message_are_reported_once() -> None:
    twice = Throwable("java.sql.SQLException", "denied", Throwable("java.io.IOException", "denied"))

    assert failure(Py4JJavaError(twice)) == (None, "denied")


def test_causes_without_a_message_are_skipped() -> None:
    silent = Throwable("java.io.EOFException", None)
    read = Throwable("java.sql.SQLException", "The connection was lost", silent)

    assert failure(Py4JJavaError(Throwable(JOB, aborted(0, "lost"), read))) == (
        0,
        "The connection was lost",
    )


def test_if_all_errors_are_sparks_the_first_message_is_the_cause() -> None:
    cause = Throwable("org.apache.spark.SparkOutOfMemoryError", "no room")

    assert failure(CapturedException(Throwable(JOB, "Job 1 cancelled", cause))) == (
        None,
        "Job 1 cancelled",
    )


def test_a_python_error_of_the_driver_is_the_cause() -> None:
    assert failure(RuntimeError("no more\nmemory")) == (None, "no more memory")


@pytest.mark.parametrize(
    ("chain", "cause"), [([(JOB, "")], JOB), ([("java.lang.Error", "")], "java.lang.Error")]
)
def test_an_error_without_a_message_is_reported_by_its_class(
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


@pytest.mark.parametrize(
    "error",
    [Py4JNetworkError("Answer from Java side is empty"), ConnectionRefusedError("is\nrefused")],
)
def test_a_lost_connection_to_the_jvm_is_reported_as_its_end(error: Exception) -> None:
    shown = " ".join(str(error).split())

    assert failure(error) == (None, f"Spark's JVM ended ({shown})")


@pytest.mark.parametrize(
    ("log", "cause"),
    [
        (
            "NOTE: Picked up JDK_JAVA_OPTIONS: -Xint\nPicked up JAVA_TOOL_OPTIONS: -Xint\n"
            "OpenJDK 64-Bit Server VM warning: Sharing is off\nError occurred during "
            "initialization of VM\nMultiple garbage collectors selected\n",
            "Multiple garbage collectors selected",
        ),
        (
            ':: loading settings\n\t\tunresolved\nException in thread "main" '
            "java.lang.RuntimeException: [unresolved dependency: org#name;1: not found]\n\tat x\n",
            "java.lang.RuntimeException: [unresolved dependency: org#name;1: not found]",
        ),
        (
            "WARNING: Using incubator modules\n26/11/26 17:12:55 WARN NativeCodeLoader: no\n"
            "Using Spark's default log4j profile: x\nSetting default log level to WARN.\n"
            "To adjust logging level use sc.setLogLevel\n"
            "26/11/26 17:12:56 ERROR SparkUI: Failed to bind SparkUI\njava.net.BindException: x\n",
            "Failed to bind SparkUI",
        ),
        ("\n", "its JVM ended without a message"),
    ],
)
def test_a_jvm_that_did_not_start_is_reported_with_the_first_error_of_its_log(
    log: str, cause: str
) -> None:
    assert start_failure(log) == cause
