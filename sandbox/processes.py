"""Servers that outlive their starter, found again without ever touching a foreign process."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from sandbox.errors import SandboxError

POLL_SECONDS = 0.02


class Daemon:
    """One server: it works in a folder of its own, and a pid file says which process it is.

    A pid alone proves nothing after a crash or a reboot, it may be somebody else's by now, so
    the time the process started is kept beside it.
    """

    def __init__(
        self,
        name: str,
        directory: Path,
        stop_signal: int = signal.SIGTERM,
        children: str | None = None,
    ) -> None:
        """`children` is the program that the server forks; they work in the server's folder."""
        self.name = name
        self.folder = directory / name
        self.log = directory / f"{name}.log"
        self._pid_file = directory / f"{name}.pid"
        self._stop_signal = stop_signal
        self._children = children

    def start(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.log.touch(mode=0o600)
        # The shell ends at once, so init inherits the server: the caller has no child to wait
        # for, and the server is in no terminal's session.
        shell = subprocess.run(
            ["/bin/sh", "-c", '"$@" </dev/null >>"$0" 2>&1 & echo $!', str(self.log), *command],
            cwd=self.folder,
            env=dict(environment),
            start_new_session=True,
            stdout=subprocess.PIPE,
            check=True,
        )
        pid = int(shell.stdout)
        self._pid_file.write_text(json.dumps({"pid": pid, "started": _start_time(pid)}) + "\n")

    def pid(self) -> int | None:
        """The server's process id; None unless the process that `start` began is alive."""
        try:
            known = json.loads(self._pid_file.read_text())
            pid, started = int(known["pid"]), known["started"]
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            return None  # never started, or the machine stopped while the file was written
        return pid if started is not None and _start_time(pid) == started else None

    def processes(self) -> list[int]:
        """The server and its children, also those that outlived it."""
        server = self.pid()
        children = _running(self._children, self.folder) if self._children else []
        return sorted({*children, *([server] if server else [])})

    def runs(self, answers: Callable[[], bool], seconds: float = 60) -> bool:
        """Wait until the server answers; False if it is gone, also if it goes meanwhile."""
        deadline = time.monotonic() + seconds
        while self.pid() is not None:
            if answers():
                return True
            if time.monotonic() > deadline:
                raise self._silent(f"within {seconds:.0f} seconds")
            time.sleep(POLL_SECONDS)
        return False

    def wait_until(self, answers: Callable[[], bool], seconds: float = 60) -> None:
        if not self.runs(answers, seconds):
            raise self._silent("and not end")

    def stop(self, seconds: float = 10) -> None:
        """End the server as it likes to be ended, then whatever is left by force."""
        pid = self.pid()
        if pid is not None:
            _send(pid, self._stop_signal)
            _wait_gone(lambda: [] if self.pid() is None else [pid], seconds)
        self.kill()

    def kill(self) -> None:
        """SIGKILL for the server and all it started: a machine that lost its power."""
        pid = self.pid()
        for each in ([pid] if pid else []) + self.processes():
            _send(each, signal.SIGKILL)
        if left := _wait_gone(self.processes, 10):
            raise SandboxError(f"{self.name} must end when killed, got processes {left} alive")
        self._pid_file.unlink(missing_ok=True)

    def _silent(self, rule: str) -> SandboxError:
        said = "\n".join(self.log.read_text(errors="replace").splitlines()[-5:]) or "no output"
        return SandboxError(f"{self.name} must answer {rule}, got\n{said}\n: see {self.log}")


def _send(pid: int, number: int) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return  # it ended by itself


def _wait_gone(alive: Callable[[], list[int]], seconds: float) -> list[int]:
    deadline = time.monotonic() + seconds
    while (left := alive()) and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)
    return left


def _start_time(pid: int) -> str | None:
    """When the process began, in the system's own words; None if it is gone or a zombie.

    A server that was killed is a zombie from the moment its first thread has ended, while the
    others still hold its sockets: it is gone when it is the last thread.
    """
    stat = Path(f"/proc/{pid}/stat")
    if not Path("/proc/self/stat").exists():
        return _start_time_by_ps(pid)
    try:
        text = stat.read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The name in parentheses may hold spaces; fields 3 (state), 20 (num_threads) and
    # 22 (starttime), proc(5).
    after_name = text.rpartition(")")[2].split()
    state, threads, started = after_name[0], int(after_name[17]), after_name[19]
    return None if state == "X" or (state == "Z" and threads <= 1) else started


def _start_time_by_ps(pid: int) -> str | None:
    asked = ["ps", "-o", "stat=,lstart=", "-p", str(pid)]
    state, _, started = subprocess.run(
        asked, capture_output=True, text=True, check=False
    ).stdout.partition(" ")
    return None if not state or state.startswith("Z") else started.strip()


def _running(program: str, folder: Path) -> list[int]:
    """Processes of a program that work in a folder.

    Linux only. Elsewhere what a killed server leaves behind ends by itself, only later.
    """
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            here = os.readlink(process / "cwd") == str(folder)
            if here and Path(os.readlink(process / "exe")).name == program:
                found.append(int(process.name))
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue  # ended meanwhile, a zombie, or another account's
    return found
