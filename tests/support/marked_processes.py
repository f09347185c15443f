"""Processes that a test starts, and those that they start: a variable marks their environment."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import uuid
from pathlib import Path

from tests.support.sandboxes import wait_until

MARK = "FAULT_CASE"
# Other tests on this machine, such as those of another checkout, have cases of the same names.
TESTS = uuid.uuid4().hex


def mark(case: str) -> dict[str, str]:
    """The variable that marks a process of this case of these tests."""
    return {MARK: f"{TESTS} {case}"}


def processes_of(case: str, program: str = "") -> list[int]:
    """The processes with the case's mark in their environment and `program` in their command."""
    marked = re.compile(rf"(^|\0){MARK}={re.escape(mark(case)[MARK])}(\0|$)")
    processes = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            has_mark = marked.search((process / "environ").read_text(errors="replace"))
            if has_mark and program in (process / "cmdline").read_text(errors="replace"):
                processes.append(int(process.name))
        except OSError:
            continue  # it has ended, or belongs to another user
    return processes


def workers_of(case: str) -> list[int]:
    """Spark's Python workers: the children of its daemon."""
    forks = processes_of(case, "-m\0loader.worker_daemon")
    return [pid for pid in forks if _parent(pid) in forks]


def wait_for_end(case: str) -> None:
    """Wait until all processes of a case have ended: the JVM removes files after its driver."""
    wait_until(lambda: processes_of(case) == [], f"the processes of {case} must end")


def kill(processes: list[int]) -> None:
    for pid in processes:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def _parent(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0
