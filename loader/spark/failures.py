"""Why a Spark action failed, in one line."""

import re
from itertools import takewhile
from typing import Any

from py4j.protocol import Py4JNetworkError

FAILED_TASK = re.compile(r"Task (\d+) in stage \S+ failed")

PYTHON_TRACEBACK = "Traceback (most recent call last)"

SPARK = "org.apache.spark."

POSITION = re.compile(r"\s+Position: \d+")


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
