"""The processes of a Spark that this process has started: its JVM and the Python workers."""

import os
import signal
import time
from contextlib import suppress
from pathlib import Path

# The JVM removes its temporary files, which have rows, when SIGTERM ends it.
JVM_SECONDS = 30.0
WORKER_SECONDS = 5.0
POLL_SECONDS = 0.02
# The arguments of spark-submit, which becomes the JVM.
SPARK = (b"spark-submit", b"org.apache.spark.deploy.SparkSubmit")


def end() -> None:
    """End the JVM and its Python workers, and wait for it: then no task writes any more."""
    parents = _parents()
    jvms = [pid for pid, parent in parents.items() if parent == os.getpid() and _is_spark(pid)]
    workers = _descendants(jvms, parents)
    _kill(jvms, signal.SIGTERM)
    _wait(jvms, JVM_SECONDS)
    _kill(jvms, signal.SIGKILL)
    for pid in workers:
        # The daemon of the workers leads their process group.
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(pid, signal.SIGKILL)
    _kill(workers, signal.SIGKILL)
    _wait([*jvms, *workers], WORKER_SECONDS)


def _parents() -> dict[int, int]:
    """The parent of each running process; empty where there is no /proc."""
    parents = {}
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it has ended
            state, parent = (process / "stat").read_bytes().rpartition(b")")[2].split()[:2]
            if state != b"Z":
                parents[int(process.name)] = int(parent)
    return parents


def _is_spark(pid: int) -> bool:
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False
    return any(name in command for name in SPARK)


def _descendants(roots: list[int], parents: dict[int, int]) -> list[int]:
    found: list[int] = []
    level = roots
    while level := [pid for pid, parent in parents.items() if parent in level]:
        found += level
    return found


def _kill(pids: list[int], number: signal.Signals) -> None:
    for pid in pids:
        with suppress(ProcessLookupError, PermissionError):
            os.kill(pid, number)


def _wait(pids: list[int], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while _parents().keys() & set(pids) and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)
