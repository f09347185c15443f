"""The CPUs and the memory that this process may use: of a container, not of its host.

A container's limits are those of its control group, version 1 or 2, and of the groups above it.
https://docs.kernel.org/admin-guide/cgroup-v2.html
https://docs.kernel.org/admin-guide/cgroup-v1/memory.html
https://docs.kernel.org/scheduler/sched-bwc.html
"""

import math
import os
from collections.abc import Iterator
from pathlib import Path

MEMBERSHIP = Path("/proc/self/cgroup")
MOUNT = Path("/sys/fs/cgroup")


def cpus() -> int:
    """CPUs that this process may use at the same time; a part of one counts as one."""
    # macOS has no affinity.
    affinity = getattr(os, "sched_getaffinity", lambda _: range(os.cpu_count() or 1))
    count = len(affinity(0))
    quota = cpu_quota(MEMBERSHIP, MOUNT)
    return count if quota is None else max(1, min(count, math.ceil(quota)))


def memory() -> int:
    """Bytes of memory that this process and its children may use."""
    physical = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    limit = memory_limit(MEMBERSHIP, MOUNT)
    return physical if limit is None else min(physical, limit)


def cpu_quota(membership: Path, mount: Path) -> float | None:
    """CPUs per time that the control groups grant, or None if they set no limit."""
    quotas = []
    for group in _groups("cpu", membership, mount):
        for words in (
            _words(group / "cpu.max"),
            [*_words(group / "cpu.cfs_quota_us"), *_words(group / "cpu.cfs_period_us")],
        ):
            # An unlimited quota is `max` in version 2 and -1 in version 1.
            if len(words) == 2 and words[0].isdigit():
                quotas.append(int(words[0]) / int(words[1]))
    return min(quotas, default=None)


def memory_limit(membership: Path, mount: Path) -> int | None:
    """Bytes that the control groups grant, or None; version 1 has a huge number for no limit."""
    limits = [
        int(word)
        for group in _groups("memory", membership, mount)
        for name in ("memory.max", "memory.limit_in_bytes")
        for word in _words(group / name)
        if word.isdigit()
    ]
    return min(limits, default=None)


def _groups(controller: str, membership: Path, mount: Path) -> Iterator[Path]:
    """The folders of this process's group and of all groups above it.

    In a container, the path may be the host's, and the container's own group the mount itself.
    """
    for line in _lines(membership):
        _, controllers, path = line.split(":", 2)
        if not controllers:
            top = mount
        elif controller in controllers.split(","):
            top = mount / controller
        else:
            continue
        folder = top / path.strip("/")
        yield folder
        if folder != top:
            yield from folder.parents[: len(folder.parts) - len(top.parts)]


def _lines(file: Path) -> list[str]:
    try:
        return file.read_text().splitlines()
    except OSError:  # macOS, or a group that the container cannot see
        return []


def _words(file: Path) -> list[str]:
    return [word for line in _lines(file) for word in line.split()]
