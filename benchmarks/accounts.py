"""CPU seconds of a group of processes, those that have exited included.

A control group counts what its processes use, whatever becomes of them. Where none can be made,
/proc is read: a parent's times hold those of the children it has waited for.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Protocol

V1 = Path("/sys/fs/cgroup/cpuacct")
V2 = Path("/sys/fs/cgroup")
CLOCK_TICKS = os.sysconf("SC_CLK_TCK")


class Account(Protocol):
    """The CPU time of the processes that were entered, and of all they start."""

    method: str

    def enter(self, pid: int) -> None: ...
    def pids(self) -> list[int]: ...
    def seconds(self) -> float: ...
    def close(self) -> None: ...


class ControlGroup:
    """A child group of its own: cgroup v1 `cpuacct`, or cgroup v2."""

    def __init__(self, name: str) -> None:
        self.method = "cgroup v1 cpuacct" if (V1 / "cpuacct.usage").exists() else "cgroup v2"
        parent = V1 if self.method.endswith("cpuacct") else _own_v2_group()
        self._folder = parent / f"bench-{name}-{os.getpid()}"
        self._folder.mkdir()

    def enter(self, pid: int) -> None:
        (self._folder / "cgroup.procs").write_text(str(pid))

    def pids(self) -> list[int]:
        return [int(line) for line in (self._folder / "cgroup.procs").read_text().split()]

    def seconds(self) -> float:
        if self.method.endswith("cpuacct"):
            return int((self._folder / "cpuacct.usage").read_text()) / 1e9
        stat = dict(line.split() for line in (self._folder / "cpu.stat").read_text().splitlines())
        return int(stat["usage_usec"]) / 1e6

    def close(self) -> None:
        """Give the processes that are left back to the parent; the group goes."""
        for pid in self.pids():
            with suppress(OSError):  # it ended meanwhile
                (self._folder.parent / "cgroup.procs").write_text(str(pid))
        with suppress(OSError):  # a process that was just started is in it
            self._folder.rmdir()


class ProcTree:
    """The tree under the processes entered; what a parent did not wait for is lost at its end."""

    method = "/proc, read every 50 ms"

    def __init__(self) -> None:
        self._roots: list[int] = []
        self._most = 0.0

    def enter(self, pid: int) -> None:
        self._roots.append(pid)

    def pids(self) -> list[int]:
        parents = dict(_parents())
        return [pid for pid in parents if _descends(pid, self._roots, parents)]

    def seconds(self) -> float:
        self._most = max(self._most, sum(cpu_seconds(p, waited=True) for p in self.pids()))
        return self._most

    def close(self) -> None:
        self._roots.clear()


@contextmanager
def account(name: str) -> Iterator[Account]:
    """The best account that this machine gives us."""
    opened: Account
    try:
        opened = ControlGroup(name)
    except OSError:
        opened = ProcTree()
    try:
        yield opened
    finally:
        opened.close()


def cpu_seconds(pid: int, waited: bool = False) -> float:
    """User and system time of one process, with that of its waited-for children or without."""
    fields = _stat(pid)
    return sum(map(int, fields[11 : 15 if waited else 13])) / CLOCK_TICKS if fields else 0.0


def machine_seconds() -> float:
    """CPU seconds that all processes of the machine have used (proc_stat(5))."""
    user, nice, system, _, _, irq, softirq, *_ = Path("/proc/stat").read_text().split()[1:9]
    return sum(map(int, (user, nice, system, irq, softirq))) / CLOCK_TICKS


def parent(pid: int) -> int:
    fields = _stat(pid)
    return int(fields[1]) if fields else 0


def children(pid: int) -> list[int]:
    return [child for child, its_parent in _parents() if its_parent == pid]


def _stat(pid: int) -> list[str]:
    """The fields of /proc/<pid>/stat from the third on (proc(5)); none if the process is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def _own_v2_group() -> Path:
    lines = Path("/proc/self/cgroup").read_text().splitlines()
    own = next((line[3:] for line in lines if line.startswith("0::")), None)
    folder = V2 / (own or "").lstrip("/")
    if own is None or not (folder / "cpu.stat").exists():
        raise FileNotFoundError("no cgroup v2")
    return folder


def _parents() -> Iterator[tuple[int, int]]:
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            yield int(entry.name), parent(int(entry.name))


def _descends(pid: int, roots: list[int], parents: dict[int, int]) -> bool:
    while pid in parents:
        if pid in roots:
            return True
        pid = parents[pid]
    return False
