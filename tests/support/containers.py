"""A container's limits for a command, as far as this machine allows them."""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

CGROUPS = Path("/sys/fs/cgroup")
ENTER = 'echo $$ > "$0/cgroup.procs"; exec "$@"'


@contextmanager
def limited(memory: int) -> Iterator[list[str]]:
    """The words before a command that run it with this memory; none where that is not possible.

    Only a control group of version 1 may have processes beside those of its parent.
    """
    membership = Path("/proc/self/cgroup")
    lines = membership.read_text().splitlines() if membership.exists() else []
    paths = [line.split(":", 2)[2] for line in lines if ":memory:" in line]
    group = CGROUPS / "memory" / (paths[0] if paths else "").strip("/") / f"test-{uuid.uuid4().hex}"
    try:
        if not paths:
            raise OSError
        group.mkdir()
        (group / "memory.limit_in_bytes").write_text(str(memory))
    except OSError:
        yield []
        return
    try:
        yield ["sh", "-c", ENTER, str(group)]
    finally:
        _remove(group)


def _remove(group: Path) -> None:
    """Remove the group when the last of its processes has ended."""
    deadline = time.monotonic() + 30
    while (group / "cgroup.procs").read_text().split():
        assert time.monotonic() < deadline, "processes of the test run on"
        time.sleep(0.05)
    group.rmdir()


def one_cpu() -> list[str]:
    """Words before a command that let it use one CPU of this machine."""
    return ["taskset", "--cpu-list", str(min(os.sched_getaffinity(0)))]


def as_user(number: int) -> list[str]:
    """Words before a command that run it as a user who owns nothing; none if we are no root.

    It may read all files, because Python may be installed for root alone.
    """
    if os.geteuid() != 0:
        return []
    can = "+dac_read_search"
    identity = [f"--reuid={number}", f"--regid={number}", "--clear-groups"]
    return ["setpriv", *identity, f"--inh-caps={can}", f"--ambient-caps={can}"]
