"""The start of Spark's JVM, without a change to this process."""

import math
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any

from py4j.protocol import Py4JNetworkError
from pyspark import SparkConf, SparkContext, java_gateway
from pyspark.errors import PySparkRuntimeError

from loader.errors import Refused, reason
from loader.spark import processes
from loader.spark.failures import failure, start_failure
from loader.spark.home import spark_home
from loader.spark.ivy_lock import fetching
from loader.spark.jars import IVY, PACKAGES
from loader.spark.log_file import LogFile
from loader.spark.properties import MASTER
from loader.spark.waiting import reported

# Ivy has no limit of its own when a firewall drops its requests.
START_SECONDS = 600
UNRESOLVED = "unresolved dependency: "
STOPPED = "stopped SparkContext"


class _Process(subprocess.Popen[bytes]):
    """The JVM's process, for pyspark: with these properties and variables only.

    The environment of this process, which other threads read, stays as it is. pyspark adds
    PYSPARK_SUBMIT_ARGS, whose properties the loader has read, and waits forever for a process that
    ended with exit code 0: that counts as 1 here.
    """

    def __init__(
        self,
        properties: dict[str, str],
        variables: dict[str, str],
        command: list[str],
        **arguments: Any,
    ) -> None:
        command = [str(spark_home() / "bin" / "spark-submit")]
        for name, value in properties.items():
            command += ["--conf", f"{name}={value}"]
        arguments["env"] = {**arguments["env"], **variables}
        super().__init__([*command, "pyspark-shell"], **arguments)
        self.deadline = time.monotonic() + START_SECONDS

    def poll(self) -> int | None:
        if time.monotonic() > self.deadline:
            self.kill()
            self.wait()
        code = super().poll()
        return 1 if code == 0 else code


def start_jvm(
    settings: dict[str, str], log: LogFile, variables: dict[str, str], seconds: float | None = None
) -> SparkContext:
    """Start Spark's JVM, with these variables too, and its context.

    A cluster has so many `seconds` to start the application; None is for this machine.

    The JVM writes to `log`, because it ends after the loader: a program that reads the loader's
    output from a pipe would wait for it. Its files are private: Spark spills rows that it sorts.
    """
    properties = {name: value for name, value in settings.items() if value}
    conf = SparkConf().setAll(list(properties.items()))
    gateway = SparkContext._gateway or _launch(conf, properties, variables, log.descriptor)
    with _limited(settings[MASTER], seconds) if seconds else nullcontext():
        context = SparkContext(conf=conf, gateway=gateway)
    # It prints a traceback when the JVM ends first, which the job that fails reports.
    server: Any = getattr(context, "_accumulatorServer", None)
    if server:
        server.handle_error = lambda *_: None
    return context


@contextmanager
def start_failures(packages: str, path: Path) -> Iterator[LogFile]:
    """The log for a JVM; raise `Refused` with the cause if Spark does not start in the block."""
    with ExitStack() as stack:
        log: LogFile | None = None
        try:
            log = stack.enter_context(closing(LogFile(path)))
            yield log
        except Exception as error:
            output = log.output() if log else ""
            raise Refused(_problem(error, output, packages, path)) from error


@contextmanager
def submitted_failures(master: str) -> Iterator[None]:
    """Raise `Refused` with the cause if the context of spark-submit's JVM does not start."""
    try:
        with reported(lambda: _waiting(master)):
            yield
    except Exception as error:
        raise Refused(_start_problem(failure(error)[1], "the log of spark-submit")) from error


@contextmanager
def _limited(master: str, seconds: float) -> Iterator[None]:
    """Report a start that waits for the cluster; end the JVM, and raise TimeoutError, in the end.

    An application on YARN waits in its queue without a limit.
    """
    ended = threading.Event()

    def end() -> None:
        ended.set()
        processes.end()

    timer = threading.Timer(seconds, end)
    timer.daemon = True
    timer.start()
    try:
        with reported(lambda: _waiting(master)):
            yield
    except Exception as error:
        if not ended.is_set():
            raise
        limit = f"{seconds / 60:g} min (--stall-minutes)"
        raise TimeoutError(f"{master} did not start the application in {limit}") from error
    finally:
        timer.cancel()


def _waiting(master: str) -> str:
    return f"start  waiting for {master} to start the application"


def _launch(
    conf: SparkConf, properties: dict[str, str], variables: dict[str, str], log: int
) -> Any:
    """Start the JVM as pyspark does, with another class of process."""
    packages, home = properties.get(PACKAGES), properties.get(IVY)
    with fetching(Path(home)) if packages and home else nullcontext():
        if packages:
            print(f"start  fetching {packages} from Maven", file=sys.stderr)
        module: Any = java_gateway
        popen, module.Popen = module.Popen, partial(_Process, properties, variables)
        try:
            gateway = module.launch_gateway(conf, {"stdout": log, "stderr": log, "umask": 0o077})
        finally:
            module.Popen = popen
    if gateway.proc:
        gateway.proc.deadline = math.inf
    return gateway


def _problem(error: Exception, output: str, packages: str, log: Path) -> str:
    """Why Spark did not start, with the way out if it is known."""
    ended = isinstance(error, (PySparkRuntimeError, Py4JNetworkError, ConnectionError))
    cause = failure(error)[1]
    # An error of the process, its connection or its context says less than the process's output.
    cause = reason(start_failure(output) if ended or STOPPED in cause else cause)
    if packages and UNRESOLVED in cause:
        missing = cause.partition(UNRESOLVED)[2].rstrip("]")
        return (
            f"cannot fetch {packages} from Maven: {missing}. "
            "Allow access, name a mirror with --spark-conf spark.jars.repositories=URL, or give "
            f"the jar with --spark-conf spark.jars=FILE. See {log}"
        )
    return _start_problem(cause, log)


def _start_problem(cause: str, log: object) -> str:
    return f"cannot start Spark: {reason(cause)}. See {log}"
