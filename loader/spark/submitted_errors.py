"""Standard error of a program that spark-submit has started.

spark-submit copies both outputs of the program to its own standard output, which `--json` keeps for
JSON (org.apache.spark.deploy.PythonRunner). So what is printed on standard error goes to that of
spark-submit's JVM.
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TextIO

from py4j.protocol import Py4JError
from pyspark import SparkContext

from loader.output import safe_stream
from loader.spark.properties import starts_jvm


@contextmanager
def separate_errors() -> Iterator[None]:
    """Send standard error to the JVM of spark-submit in the block, if both outputs are one.

    A stream that a program has put in the place of the process's own stays.
    """
    if starts_jvm() or sys.stderr is not sys.__stderr__ or not _are_merged():
        yield
        return
    before = sys.stderr
    # The JVM reads the own one, which is a closed pipe after the JVM has ended.
    stream = io.BufferedWriter(_JvmErrors(safe_stream(before, before, 2)))
    sys.stderr = io.TextIOWrapper(stream, "utf-8", "backslashreplace", line_buffering=True)
    try:
        yield
    finally:
        sys.stderr.flush()
        sys.stderr = before


def _are_merged() -> bool:
    try:
        output, errors = os.fstat(1), os.fstat(2)
    except OSError:  # one is closed
        return False
    return (output.st_dev, output.st_ino) == (errors.st_dev, errors.st_ino)


class _JvmErrors(io.RawIOBase):
    """The standard error of the JVM, or the own one after the JVM has ended."""

    def __init__(self, otherwise: TextIO) -> None:
        self._otherwise = otherwise

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        content = bytes(data)
        try:
            SparkContext._ensure_initialized()
            jvm: Any = SparkContext._jvm
            errors = jvm.java.lang.System.err
            errors.write(content, 0, len(content))
            errors.flush()
        except (Py4JError, OSError):
            self._otherwise.write(content.decode("utf-8", "replace"))
        return len(content)
