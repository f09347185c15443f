"""CPU seconds of a group of processes, including those that have exited.

A control group counts the CPU time of its processes, also after they exit. Where the system does
not allow one, /proc is read: the times of a process include the children it has waited for.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Protocol

V1 = Path("/sys/fs/cgroup/cpuacct")
V2 = Path("/sys/fs/cgroup")
CLOCK_TICKS = os.sysconf("SC_CLK_TCK")


class CpuMeter(Protocol):
    """The CPU time of the processes that were added, and of all their descendants."""

    method: str

    def add(self, pid: int) -> None: ...
    def pids(self) -> list[int]: ...
    def seconds(self) -> float: ...
    def close(self) -> None: ...


class ControlGroup:
    """A new control group: cgroup v1 `cpuacct`, or cgroup v2."""

    def __init__(self, name: str) -> None:
        self.method = "cgroup v1 cpuacct" if (V1 / "cpuacct.usage").exists() else "cgroup v2"
        parent = V1 if self.method.endswith("cpuacct") else _current_v2_group()
        self._folder = parent / f"bench-{name}-{os.getpid()}"
        self._folder.mkdir()

    def add(self, pid: int) -> None:
        (self._folder / "cgroup.procs").write_text(str(pid))

    def pids(self) -> list[int]:
        return [int(line) for line in (self._folder / "cgroup.procs").read_text().split()]

    def seconds(self) -> float:
        if self.method.endswith("cpuacct"):
            return int((self._folder / "cpuacct.usage").read_text()) / 1e9
        stat = dict(line.split() for line in (self._folder / "cpu.stat").read_text().splitlines())
        return int(stat["usage_usec"]) / 1e6

    def close(self) -> None:
        """Move the remaining processes to the parent group, and remove this group."""
        for pid in self.pids():
            with suppress(OSError):  # it has ended
                (self._folder.parent / "cgroup.procs").write_text(str(pid))
        with suppress(OSError):  # a new process is in it
            self._folder.rmdir()


class ProcessTree:
    """The processes that were added and their descendants, read from /proc.

    The time of a child that its parent does not wait for is lost when it exits.
    """

    method = "/proc, read every 50 ms"

    def __init__(self) -> None:
        self._roots: list[int] = []
        self._maximum = 0.0

    def add(self, pid: int) -> None:
        self._roots.append(pid)

    def pids(self) -> list[int]:
        parents = dict(_parents())
        return [pid for pid in parents if _descends(pid, self._roots, parents)]

    def seconds(self) -> float:
        self._maximum = max(self._maximum, sum(cpu_seconds(p, waited=True) for p in self.pids()))
        return self._maximum

    def close(self) -> None:
        self._roots.clear()


@contextmanager
def cpu_meter(name: str) -> Iterator[CpuMeter]:
    """A control group if the system allows it, otherwise a process tree."""
    meter: CpuMeter
    try:
        meter = ControlGroup(name)
    except OSError:
        meter = ProcessTree()
    try:
        yield meter
    finally:
        meter.close()


def cpu_seconds(pid: int, waited: bool = False) -> float:
    """User and system time of a process; `waited` includes children it has waited for."""
    fields = _stat(pid)
    return sum(map(int, fields[11 : 15 if waited else 13])) / CLOCK_TICKS if fields else 0.0


def machine_seconds() -> float:
    """CPU seconds of all processes of the machine since it started.

    cgroup v1 counts every change of the running process. /proc/stat samples the processors at the
    timer's interrupts (proc_stat(5)), which is wrong for processes that the same timer stops.
    """
    usage = V1 / "cpuacct.usage"
    if usage.exists():
        return int(usage.read_text()) / 1e9
    user, nice, system, _, _, irq, softirq, *_ = Path("/proc/stat").read_text().split()[1:9]
    return sum(map(int, (user, nice, system, irq, softirq))) / CLOCK_TICKS


def parent(pid: int) -> int:
    fields = _stat(pid)
    return int(fields[1]) if fields else 0


def children(pid: int) -> list[int]:
    return [child for child, parent_pid in _parents() if parent_pid == pid]


def _stat(pid: int) -> list[str]:
    """The fields of /proc/<pid>/stat from the third on (proc(5)); empty if it has exited."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def _current_v2_group() -> Path:
    lines = Path("/proc/self/cgroup").read_text().splitlines()
    group = next((line[3:] for line in lines if line.startswith("0::")), None)
    folder = V2 / (group or "").lstrip("/")
    if group is None or not (folder / "cpu.stat").exists():
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
