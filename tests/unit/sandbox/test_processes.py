import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.errors import SandboxError
from sandbox.processes import Daemon

WAIT_FOREVER = [sys.executable, "-c", "import signal; signal.pause()"]


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    daemon = Daemon("server", tmp_path)
    yield daemon
    daemon.kill()


def test_another_daemon_object_reads_the_pid_from_the_pid_file(
    daemon: Daemon, tmp_path: Path
) -> None:
    daemon.start(WAIT_FOREVER, os.environ)

    assert daemon.pid() is not None
    assert Daemon("server", tmp_path).pid() == daemon.pid()


def test_a_stopped_daemon_leaves_no_process(daemon: Daemon) -> None:
    daemon.start(WAIT_FOREVER, os.environ)
    before = daemon.processes()
    daemon.stop()

    assert (len(before), daemon.processes()) == (1, [])


def test_another_process_with_the_same_pid_is_not_signalled(daemon: Daemon, tmp_path: Path) -> None:
    with subprocess.Popen(WAIT_FOREVER) as foreign:
        (tmp_path / "server.pid").write_text(json.dumps({"pid": foreign.pid, "started": "1"}))
        pid = daemon.pid()
        daemon.stop()
        daemon.kill()
        alive = foreign.poll() is None
        foreign.kill()

    assert (pid, alive) == (None, True)


def test_a_child_that_outlived_its_server_is_killed(tmp_path: Path) -> None:
    program = Path(os.path.realpath(sys.executable)).name
    daemon = Daemon("server", tmp_path, children=program)
    forks = "import os, signal; os.fork(); signal.pause()"
    daemon.start([sys.executable, "-c", forks], os.environ)
    daemon.require_ready(lambda: len(daemon.processes()) == 2)
    server = daemon.pid()
    assert server is not None
    os.kill(server, 9)
    daemon.kill()

    assert daemon.processes() == []


def test_a_server_that_ends_at_once_is_reported_with_the_end_of_its_log(daemon: Daemon) -> None:
    daemon.start(["/bin/sh", "-c", "echo no disk left"], os.environ)

    with pytest.raises(
        SandboxError, match=r"cannot start server: it ended\. See .*, which ends:\nno disk left"
    ):
        daemon.require_ready(lambda: False)


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="reads Linux's /proc")
def test_a_server_runs_until_its_last_thread_has_ended(daemon: Daemon) -> None:
    """Other threads hold its sockets while the main thread is a zombie."""
    end_main_thread = (
        "import ctypes, threading, time\n"
        "threading.Thread(target=time.sleep, args=(60,)).start()\n"
        "ctypes.CDLL(None).pthread_exit(None)"
    )
    daemon.start([sys.executable, "-c", end_main_thread], os.environ)
    server = daemon.pid()
    stat = Path(f"/proc/{server}/stat")
    daemon.require_ready(lambda: stat.read_text().rpartition(")")[2].split()[0] == "Z")

    assert daemon.pid() == server
    daemon.kill()
    assert daemon.pid() is None
