"""Start, stop, fill and reset the services of one sandbox."""

from __future__ import annotations

import fcntl
import os
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from psycopg2.extensions import connection as Connection

from sandbox import seed as seeding
from sandbox.dynamodb import DynamoDB
from sandbox.errors import PortBusy, UsageError
from sandbox.redshift import warehouse
from sandbox.redshift.postgres import PostgreSQL
from sandbox.settings import Settings
from sandbox.statements import Statement, read_statements


@dataclass(frozen=True)
class ServiceStatus:
    name: str
    port: int
    pid: int | None


class Sandbox:
    """The services `postgres`, `redshift` (the shim in front of it) and `dynamodb` (also S3)."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._postgres = PostgreSQL(settings)
        self._redshift = warehouse.Shim(settings)
        self._dynamodb = DynamoDB(settings)
        self._services: dict[str, PostgreSQL | warehouse.Shim | DynamoDB] = {
            "postgres": self._postgres,
            "redshift": self._redshift,
            "dynamodb": self._dynamodb,
        }

    def up(self) -> None:
        """Start the stopped services and load missing source data; all services are ready then."""
        self.settings.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        with self._lock():
            self._dynamodb.require_installed()
            self._check_ports()
            self.settings.save()
            stopped = [n for n, s in self._services.items() if not s.daemon.wait_ready(s.is_ready)]
            for name in stopped:
                self._services[name].daemon.kill()  # processes that a killed server left
                self._services[name].start()
            self._postgres.wait()
            warehouse.install(self._postgres)
            if not seeding.is_seeded(self._postgres):
                self._load(seeding.DATA)
            self._redshift.wait()
            self._dynamodb.wait()
        _print(f"started {', '.join(stopped)}" if stopped else "all services are running")

    def down(self) -> None:
        """Stop all services; the warehouse keeps its data, DynamoDB and S3 lose theirs."""
        if not self.settings.directory.exists():
            return
        with self._lock():
            for service in reversed(self._services.values()):
                service.daemon.stop()
        _print("all services are stopped")

    def reset(self) -> None:
        """Return to the state of the first `up`: models, tables and logs are removed."""
        self.up()
        with self._lock():
            self._dynamodb.daemon.stop()
            self._dynamodb.start()
            warehouse.drop(self._postgres)
            os.truncate(self.settings.statement_log, 0)  # the shim appends at the new end
            warehouse.install(self._postgres)
            self._load(seeding.DATA)
            self._dynamodb.wait()

    def seed(self, path: Path | None = None) -> int:
        """Replace the rows of retail.transactions; returns their number."""
        if not self._postgres.daemon.pid():
            raise UsageError("the sandbox must run to be seeded, got no postgres: run `up` first")
        return self._load(path or seeding.DATA)

    def stop(self, service: str) -> None:
        """Stop one service gracefully; `up` starts it again."""
        self._services[service].daemon.stop()

    def kill(self, service: str) -> None:
        """Send SIGKILL to all processes of one service; `up` recovers it."""
        self._services[service].daemon.kill()

    def status(self) -> list[ServiceStatus]:
        return [ServiceStatus(n, s.port, s.daemon.pid()) for n, s in self._services.items()]

    def env(self) -> dict[str, str]:
        return self.settings.env()

    def connect(self) -> Connection:
        """Connect as the sandbox's user through the shim, as every client does."""
        return self._redshift.connect()

    def statements(self) -> list[Statement]:
        """The statements that clients sent since the first `up` or the last `reset`."""
        log = self.settings.statement_log
        return read_statements(log) if log.exists() else []

    def _load(self, path: Path) -> int:
        start = time.monotonic()
        rows = seeding.seed(self._postgres, path)
        seconds = time.monotonic() - start
        _print(f"loaded {rows:,} rows of {path.name} into retail.transactions in {seconds:.1f} s")
        return rows

    def _check_ports(self) -> None:
        for name, service in self._services.items():
            if not service.daemon.pid() and _listens(service.port):
                raise PortBusy(
                    f"the port of {name} must be free, got a listener on 127.0.0.1:{service.port}: "
                    f"stop it, or set SANDBOX_{name.upper()}_PORT"
                )

    @contextmanager
    def _lock(self) -> Iterator[None]:
        """Wait for other commands on the same folder."""
        with (self.settings.directory / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return True
    return False


def _print(text: str) -> None:
    print(f"sandbox: {text}", file=sys.stderr, flush=True)
