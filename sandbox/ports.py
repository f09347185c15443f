"""Ports for servers that start later."""

import fcntl
import os
import random
import socket
import tempfile
from functools import cache
from pathlib import Path
from typing import IO

# From its first port on, the kernel gives ports to sockets that name none.
# https://www.kernel.org/doc/html/latest/networking/ip-sysctl.html
KERNEL_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")
FIRST, KERNEL_FIRST = 20_000, 32_768
FEWEST = 1_000


def free_ports(count: int) -> list[int]:
    """Ports that are free now, and that no other process of this user chooses before this one ends.

    They are below the range of the kernel, so that no client and no server on port 0 gets one
    before its server starts.
    """
    candidates = port_range()
    chosen: list[int] = []
    for port in random.sample(candidates, len(candidates)):
        if _reserve(port) and _is_free(port):
            chosen.append(port)
            if len(chosen) == count:
                return chosen
    raise OSError(f"cannot find {count} free ports from {candidates[0]} to {candidates[-1]}")


def port_range() -> range:
    """The ports below the range of the kernel, or what is below its default if there are few."""
    try:
        end = int(KERNEL_RANGE.read_text().split()[0])
    except OSError:  # not Linux
        end = KERNEL_FIRST
    return range(FIRST, end if end >= FIRST + FEWEST else KERNEL_FIRST)


def _reserve(port: int) -> bool:
    """Lock the byte of the port in a file; the kernel unlocks it when this process ends."""
    file, reserved = _reservations()
    if port in reserved:
        return False
    try:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, port)
    except OSError:
        return False
    reserved.add(port)
    return True


@cache
def _reservations() -> tuple[IO[str], set[int]]:
    """The file, which must stay open, and the ports that this process has reserved."""
    file = Path(tempfile.gettempdir(), f"sandbox-ports-{os.getuid()}.lock")
    return file.open("a"), set()


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
