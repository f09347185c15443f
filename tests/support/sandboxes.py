"""Clients, commands and processes of a sandbox."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import boto3
import psycopg2
import pytest
import redshift_connector
from psycopg2.extensions import connection as Connection

from sandbox import Sandbox, Settings
from sandbox.redshift.postgres import PostgreSQL
from sandbox.statements import Statement
from tests.support.repository import REPOSITORY

POLL_SECONDS = 0.02


@contextmanager
def running_sandbox(folder: Path) -> Iterator[Sandbox]:
    """A sandbox on free ports, for the time of the block; a running one of the user is not used."""
    sandbox = Sandbox(Settings.on_free_ports(folder))
    try:
        sandbox.up()
        yield sandbox
    finally:
        sandbox.down()


def reader(sandbox: Sandbox, service: str, region: str = "us-east-1") -> Any:
    """A client of a service, straight to the emulator, with credentials that no test changes."""
    return boto3.client(  # type: ignore[call-overload]
        service,
        endpoint_url=sandbox.env()[f"AWS_ENDPOINT_URL_{service.upper()}"],
        region_name=region,
        aws_access_key_id="reader",
        aws_secret_access_key="reader",  # noqa: S106
    )


def execute(sandbox: Sandbox, sql: str) -> list[tuple[Any, ...]]:
    """Run SQL in the warehouse as the loader's user, in one transaction; returns the rows."""
    with closing(sandbox.connect()) as session, session, session.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchall() if cursor.description else []


def redshift(sandbox: Sandbox, **changes: object) -> Any:
    """Connect with redshift_connector as the sandbox's user."""
    env = sandbox.env()
    arguments: dict[str, Any] = {
        "host": env["REDSHIFT_HOST"],
        "port": int(env["REDSHIFT_PORT"]),
        "user": env["REDSHIFT_USER"],
        "password": env["REDSHIFT_PASSWORD"],
        "database": env["REDSHIFT_DATABASE"],
        "ssl": False,
    }
    return redshift_connector.connect(**{**arguments, **changes})


def cli(sandbox: Sandbox, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run `python -m sandbox` on the folder of this sandbox."""
    return subprocess.run(
        [sys.executable, "-m", "sandbox", *arguments, "--dir", str(sandbox.settings.directory)],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )


def logged(sandbox: Sandbox, text: str) -> list[Statement]:
    """The logged statements that contain the text."""
    return [statement for statement in sandbox.statements() if text in statement.text]


def wait_until(
    condition: Callable[[], bool], rule: str = "the condition must be true", seconds: float = 60.0
) -> None:
    """Wait until a condition is true; raise TimeoutError with the rule if it stays false."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{rule}, got not within {seconds:g} s")
        time.sleep(POLL_SECONDS)


def wait_for_queries(sandbox: Sandbox, text: str, count: int = 1) -> None:
    """Wait until so many queries that contain the text run in the warehouse."""
    running = (
        "select count(*) from pg_stat_activity where state = 'active' "
        "and position(%s in query) > 0 and pid <> pg_backend_pid()"
    )
    with closing(PostgreSQL(sandbox.settings).connect("dev")) as admin:
        admin.autocommit = True
        cursor = admin.cursor()

        def found() -> bool:
            cursor.execute(running, [text])
            return cursor.fetchall() == [(count,)]

        wait_until(found, f"{count} queries with {text} must run")


@contextmanager
def held(
    sandbox: Sandbox,
    lock: int,
    queries: int,
    before_release: Callable[[], None] = lambda: None,
    seconds: float = 60.0,
) -> Iterator[None]:
    """Hold an advisory lock until so many queries wait for any, or for so many seconds."""
    waiting = "select count(*) from pg_locks where locktype = 'advisory' and not granted"
    with closing(PostgreSQL(sandbox.settings).connect("dev")) as holder:
        holder.autocommit = True
        cursor = holder.cursor()
        cursor.execute(f"select pg_advisory_lock({lock})")

        def all_wait() -> bool:
            cursor.execute(waiting)
            return cursor.fetchall() == [(queries,)]

        def release() -> None:
            try:
                wait_until(all_wait, f"{queries} queries must wait for the lock", seconds)
            finally:
                before_release()
                cursor.execute(f"select pg_advisory_unlock({lock})")

        thread = threading.Thread(target=release)
        thread.start()
        try:
            yield
        finally:
            thread.join()


def expect_disconnect(session: Connection, sql: str) -> None:
    """Execute SQL that never ends, until the connection or the query is ended."""
    with pytest.raises(psycopg2.OperationalError), session.cursor() as cursor:
        cursor.execute(sql)


def processes_of(sandbox: Sandbox) -> list[int]:
    """The processes whose working directory is in the sandbox's folder."""
    folder = str(sandbox.settings.directory)
    pids = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if os.readlink(process / "cwd").startswith(folder):
                pids.append(int(process.name))
        except OSError:
            continue  # it has ended
    return pids
