"""The start of Spark's JVM, without a change to this process."""

import os
from pathlib import Path
from typing import Any

from pyspark import SparkConf, SparkContext
from pyspark.errors import PySparkRuntimeError
from pyspark.java_gateway import launch_gateway

from loader.errors import Refused, reason
from loader.spark.failures import failure, start_failure
from loader.storage.location import make_private


class _PopenArguments(dict[str, Any]):
    """Arguments of the JVM's process; pyspark adds its environment, and this adds to that.

    The environment of this process, which other threads read, stays as it is.
    """

    def __init__(self, environment: dict[str, str], **arguments: Any) -> None:
        super().__init__(**arguments)
        self._environment = environment

    def __setitem__(self, name: str, value: Any) -> None:
        super().__setitem__(name, {**self._environment, **value} if name == "env" else value)


def start_jvm(settings: dict[str, str], log: Path, environment: dict[str, str]) -> SparkContext:
    """Start Spark's JVM, with these variables too, and its context; raises `Refused` if it fails.

    The JVM writes to `log`, because it ends after the loader: a program that reads the loader's
    output from a pipe would wait for it. Its files are private: Spark spills rows that it sorts.
    """
    conf = SparkConf().setAll([(name, value) for name, value in settings.items() if value])
    make_private(log.parent)
    with open(os.open(log, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600), "ab") as file:
        size = os.fstat(file.fileno()).st_size
        arguments = _PopenArguments(environment, stdout=file, stderr=file, umask=0o077)
        try:
            gateway = SparkContext._gateway or launch_gateway(  # type: ignore[no-untyped-call]
                conf, arguments
            )
            return SparkContext(conf=conf, gateway=gateway)
        except PySparkRuntimeError:
            cause = start_failure(log.read_bytes()[size:].decode(errors="replace"))
            raise _cannot_start(cause, log) from None
        except Exception as error:
            raise _cannot_start(failure(error)[1], log) from error


def _cannot_start(cause: str, log: Path) -> Refused:
    return Refused(f"cannot start Spark: {reason(cause)}. See {log}")
