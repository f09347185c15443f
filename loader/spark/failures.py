"""Why a Spark action failed, in one line."""

import re
from contextlib import suppress
from itertools import takewhile
from typing import Any

from py4j.protocol import Py4JError, Py4JNetworkError

FAILED_TASK = re.compile(r"Task (\d+) in stage \S+ failed")

PYTHON_TRACEBACK = "Traceback (most recent call last)"

SPARK = "org.apache.spark."

UNCAUGHT = 'Exception in thread "main" '

# Lines before the one that has the cause: of the JVM, of Ivy and of Spark's log.
NOTICE = re.compile(
    r"Picked up |NOTE: |WARNING: |.* VM warning: |Error occurred during init|:: |\t|Ivy Default |"
    r"The jars for |[\d/]+ [\d:]+ (WARN|INFO) |Using Spark's default|Setting default log|To adjust "
)
LOGGED_ERROR = re.compile(r"[\d/]+ [\d:]+ ERROR [\w.]+: ")

# A message of the loader itself is a whole sentence.
OUR_ERROR = re.compile(r"\Aloader\.errors\.\w+: (?=cannot )")

# Where in a statement or a function of the warehouse, which the reader has not written.
POSITION = re.compile(r"\s+Position: \d+|\s+Where: .*", re.DOTALL)


def failure(error: BaseException) -> tuple[int | None, str]:
    """Task number (None if Spark does not name one) and one-line cause of a failed action."""
    if isinstance(error, (Py4JNetworkError, ConnectionError)):
        return None, _one_line(f"Spark's JVM ended ({error})")
    chain = throwables(error)
    match = FAILED_TASK.search("\n".join([str(error), *(message for _, message in chain)]))
    return (int(match[1]) if match else None), root_cause(chain)


def start_failure(log: str) -> str:
    """Why a JVM did not start, in one line, from its output."""
    lines = [line for line in log.splitlines() if line.strip() and not NOTICE.match(line)]
    exceptions = (line for line in lines if line.startswith(UNCAUGHT) or LOGGED_ERROR.match(line))
    line = next(exceptions, lines[0] if lines else "its JVM ended without a message")
    return _one_line(LOGGED_ERROR.sub("", line.removeprefix(UNCAUGHT)))


def throwables(error: BaseException) -> list[tuple[str, str]]:
    """Class and message of the error and of its causes, the outermost first.

    For an error of the JVM these are Java's, because pyspark keeps only the outermost message.
    """
    java: Any = getattr(error, "java_exception", None) or getattr(error, "_origin", None)
    if java is None:
        return [(type(error).__name__, str(error))]
    chain = []
    while java is not None:
        chain.append((java.getClass().getName(), java.getMessage() or ""))
        java = java.getCause()
    return chain


def sql_state(error: BaseException) -> str:
    """The SQLSTATE of a driver's exception, or an empty text."""
    java: Any = getattr(error, "java_exception", None) or getattr(error, "_origin", None)
    while java is not None:
        with suppress(Py4JError):  # not a SQLException
            return str(java.getSQLState() or "")
        java = java.getCause()
    return ""


def root_cause(chain: list[tuple[str, str]]) -> str:
    """The message of the driver or the task in one line, without Spark's messages around it."""
    traceback = next((message for _, message in chain if PYTHON_TRACEBACK in message), None)
    if traceback:
        return _one_line(OUR_ERROR.sub("", _python_message(traceback)))
    foreign = [(name, text) for name, text in chain if text and not name.startswith(SPARK)]
    if not foreign:
        return _one_line(chain[0][1] or chain[0][0])
    (_, outer), (name, inner) = foreign[0], foreign[-1]
    # "The connection attempt failed." needs its UnknownHostException.
    return _one_line(outer if inner == outer else f"{outer} ({name.rpartition('.')[2]}: {inner})")


def _python_message(traceback: str) -> str:
    """Class and message of the error: the lines after the last frame of the traceback.

    The traceback of a worker that did not start is indented, and other text follows it.
    """
    begin = traceback.rindex(PYTHON_TRACEBACK)
    margin = traceback[traceback.rfind("\n", 0, begin) + 1 : begin]
    margin = margin if margin.isspace() else ""
    first, *rest = traceback[begin:].splitlines()
    indented = takewhile(lambda line: line.startswith(margin), rest)
    lines = [first, *(line.removeprefix(margin) for line in indented)]
    frames = [n for n, line in enumerate(lines) if line.startswith('  File "')]
    after = [n for n, line in enumerate(lines) if n > frames[-1] and not line.startswith("    ")]
    return "\n".join(lines[after[0] :]).split(" SQLSTATE: ")[0].split("\n\tat ")[0]


def _one_line(text: str) -> str:
    """One line, without the position in a statement that the reader has not written."""
    return " ".join(POSITION.sub("", text).split())
