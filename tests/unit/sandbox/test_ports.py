import socket
import subprocess
import sys
from pathlib import Path

import pytest

from sandbox import ports
from sandbox.ports import free_ports, port_range
from tests.support.repository import REPOSITORY

CHOOSE = """
from sandbox import ports

ports.port_range = lambda: range({first}, {end})
print(*ports.free_ports(2), flush=True)
input()
"""


def test_no_port_is_chosen_twice_and_none_is_in_the_range_of_the_kernel() -> None:
    chosen = [*free_ports(3), *free_ports(40)]

    assert len({*chosen}) == 43
    assert {*chosen} <= {*port_range()}


def test_two_processes_choose_different_ports(tmp_path: Path) -> None:
    first = free_ports(1)[0]  # so that no other test has chosen it
    script = CHOOSE.format(first=first + 1, end=first + 13)
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", script],
            cwd=REPOSITORY,
            env={"TMPDIR": str(tmp_path)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    chosen = [process.stdout.readline() for process in processes if process.stdout]
    for process in processes:
        process.communicate("\n")

    numbers = [int(port) for line in chosen for port in line.split()]
    assert len({*numbers}) == 8


def test_a_port_that_another_program_has_is_not_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        monkeypatch.setattr(ports, "port_range", lambda: range(port, port + 1))
        with pytest.raises(OSError, match=f"cannot find 1 free ports from {port} to {port}"):
            free_ports(1)


@pytest.mark.parametrize(
    ("kernel", "end"), [("32768\t60999\n", 32768), ("25000 60999", 25000), ("1024 65535", 32768)]
)
def test_ports_are_below_those_that_the_kernel_gives_to_others(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, kernel: str, end: int
) -> None:
    file = tmp_path / "range"
    monkeypatch.setattr(ports, "KERNEL_RANGE", file)
    assert port_range() == range(20_000, 32_768)
    file.write_text(kernel)
    assert port_range() == range(20_000, end)
