"""The sandbox as an ordinary user and as root, which PostgreSQL does not run as."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from contextlib import closing
from pathlib import Path

import pytest

from sandbox import Sandbox, Settings
from sandbox.redshift import postgres
from tests.support.repository import REPOSITORY

pytestmark = pytest.mark.integration

AS_NOBODY = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]


def can_nobody_run_python() -> bool:
    # Through a shell, because setpriv itself can still enter folders that are closed to nobody.
    command = [*AS_NOBODY, "/bin/sh", "-c", '"$0" -c ""', sys.executable]
    return os.geteuid() == 0 and subprocess.run(command, check=False).returncode == 0


@pytest.mark.skipif(not can_nobody_run_python(), reason="the user nobody cannot run root's Python")
def test_the_sandbox_runs_as_an_ordinary_user() -> None:
    with tempfile.TemporaryDirectory(dir="/var/tmp") as name:
        folder = Path(name)
        folder.chmod(0o777)
        settings = Settings.on_free_ports(folder / "state").ports()
        flags = [f"--{n.replace('_', '-')}={port}" for n, port in settings.items()]
        run = [*AS_NOBODY, sys.executable, "-m", "sandbox"]
        where = ["--dir", str(folder / "state")]
        up = subprocess.run([*run, "up", *where, *flags], cwd=REPOSITORY, check=False)
        status = subprocess.run([*run, "status", *where], cwd=REPOSITORY, check=False)
        down = subprocess.run([*run, "down", *where], cwd=REPOSITORY, check=False)

    assert (up.returncode, status.returncode, down.returncode) == (0, 0, 0)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root must switch to another user")
def test_root_without_user_namespaces_runs_postgresql_as_nobody(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(postgres, "_user_namespaces_work", lambda: False)
    with tempfile.TemporaryDirectory(dir="/var/tmp") as name:
        folder = Path(name)
        folder.chmod(0o777)
        sandbox = Sandbox(Settings.on_free_ports(folder / "state"))
        try:
            sandbox.up()
            (server,) = [s.pid for s in sandbox.status() if s.name == "postgres"]
            owner = Path(f"/proc/{server}").stat().st_uid
            with closing(sandbox.connect()) as session, session.cursor() as cursor:
                cursor.execute("select count(*) > 0 from sys_query_history")
                history = cursor.fetchall()
        finally:
            sandbox.down()

    assert (owner, history) == (65534, [(True,)])
