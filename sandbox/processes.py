"""Background servers that outlive the command that started them."""

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
    """One server with a working directory and a pid file.

    The pid file also has the start time of the process: after a crash or a reboot another process
    can have the same pid, and must not be signalled.
    """

    def __init__(
        self,
        name: str,
        directory: Path,
        stop_signal: int = signal.SIGTERM,
        children: str | None = None,
    ) -> None:
        """`children`: the name of the program that the server forks, in the same folder."""
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
        # for, and the server does not belong to the session of a terminal.
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
        """The server's process id; None if the process that `start` started has ended."""
        try:
            saved = json.loads(self._pid_file.read_text())
            pid, started = int(saved["pid"]), saved["started"]
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            return None  # never started, or the machine crashed while the file was written
        return pid if started is not None and _start_time(pid) == started else None

    def processes(self) -> list[int]:
        """The process ids of the server and its children, including children that outlived it."""
        server = self.pid()
        children = _running(self._children, self.folder) if self._children else []
        return sorted({*children, *([server] if server else [])})

    def wait_ready(self, is_ready: Callable[[], bool], seconds: float = 60) -> bool:
        """Wait until the server is ready; False if it does not run or ends while waiting."""
        deadline = time.monotonic() + seconds
        while self.pid() is not None:
            if is_ready():
                return True
            if time.monotonic() > deadline:
                raise self._failure(f"it did not answer within {seconds:.0f} seconds")
            time.sleep(POLL_SECONDS)
        return False

    def require_ready(self, is_ready: Callable[[], bool], seconds: float = 60) -> None:
        if not self.wait_ready(is_ready, seconds):
            raise self._failure("it ended")

    def stop(self, seconds: float = 10) -> None:
        """Send the stop signal, then kill the processes that are left."""
        pid = self.pid()
        if pid is not None:
            _send(pid, self._stop_signal)
            _wait_gone(lambda: [] if self.pid() is None else [pid], seconds)
        self.kill()

    def kill(self) -> None:
        """Send SIGKILL to the server and its children, as a power failure would end them."""
        pid = self.pid()
        for process in ([pid] if pid else []) + self.processes():
            _send(process, signal.SIGKILL)
        if left := _wait_gone(self.processes, 10):
            raise SandboxError(
                f"cannot kill {self.name}: processes {left} still run. End them by hand"
            )
        self._pid_file.unlink(missing_ok=True)

    def _failure(self, cause: str) -> SandboxError:
        output = "\n".join(self.log.read_text(errors="replace").splitlines()[-5:]) or "no output"
        return SandboxError(
            f"cannot start {self.name}: {cause}. See {self.log}, which ends:\n{output}"
        )


def _send(pid: int, number: int) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return  # it has already ended


def _wait_gone(alive: Callable[[], list[int]], seconds: float) -> list[int]:
    deadline = time.monotonic() + seconds
    while (left := alive()) and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)
    return left


def _start_time(pid: int) -> str | None:
    """The start time of a process as the system prints it; None if it has ended or is a zombie.

    A killed server is a zombie as soon as its main thread has ended, while other threads still
    hold its sockets: it has ended only when no other thread is left.
    """
    stat = Path(f"/proc/{pid}/stat")
    if not Path("/proc/self/stat").exists():
        return _start_time_by_ps(pid)
    try:
        text = stat.read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The name in parentheses may contain spaces; fields 3 (state), 20 (num_threads) and
    # 22 (starttime), proc(5).
    after_name = text.rpartition(")")[2].split()
    state, threads, started = after_name[0], int(after_name[17]), after_name[19]
    return None if state == "X" or (state == "Z" and threads <= 1) else started


def _start_time_by_ps(pid: int) -> str | None:
    command = ["ps", "-o", "stat=,lstart=", "-p", str(pid)]
    state, _, started = subprocess.run(
        command, capture_output=True, text=True, check=False
    ).stdout.partition(" ")
    return None if not state or state.startswith("Z") else started.strip()


def _running(program: str, folder: Path) -> list[int]:
    """The processes of a program with this working directory.

    Linux only. Elsewhere the children of a killed server end on their own, but later.
    """
    pids = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            in_folder = os.readlink(process / "cwd") == str(folder)
            if in_folder and Path(os.readlink(process / "exe")).name == program:
                pids.append(int(process.name))
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue  # it ended, is a zombie, or belongs to another user
    return pids
