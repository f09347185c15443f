"""Start the shim, and create Redshift's functions, views and user in PostgreSQL."""

from __future__ import annotations

import os
import socket
import sys
from contextlib import closing
from pathlib import Path

import psycopg2
from psycopg2 import sql
from psycopg2.extensions import ISOLATION_LEVEL_AUTOCOMMIT
from psycopg2.extensions import connection as Connection

from sandbox.processes import Daemon
from sandbox.redshift.postgres import PostgreSQL
from sandbox.redshift.protocol import SSL_REQUEST, startup
from sandbox.settings import DATABASE, PASSWORD, REPOSITORY, USER, Settings, user_environment

_HERE = Path(__file__).parent


class Shim:
    """The server that clients connect to as if it were Redshift."""

    def __init__(self, settings: Settings) -> None:
        self.port = settings.redshift_port
        self._postgres_port = settings.postgres_port
        self._statement_log = settings.statement_log
        self.daemon = Daemon("redshift", settings.directory)

    def start(self) -> None:
        command = [sys.executable, "-m", "sandbox.redshift.shim", "--port", str(self.port)]
        command += ["--postgres-port", str(self._postgres_port), "--log", str(self._statement_log)]
        path = os.pathsep.join([str(REPOSITORY), *filter(None, [os.environ.get("PYTHONPATH")])])
        self.daemon.start(command, {**user_environment(), "PYTHONPATH": path})

    def wait(self) -> None:
        self.daemon.require_ready(self.is_ready)

    def is_ready(self) -> bool:
        """Whether the shim itself responds; PostgreSQL may be stopped."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=5) as probe:
                probe.sendall(startup(SSL_REQUEST, b""))
                return probe.recv(1) == b"N"
        except OSError:
            return False

    def connect(self) -> Connection:
        """Connect as the sandbox's user."""
        return psycopg2.connect(
            host="127.0.0.1",
            port=self.port,
            user=USER,
            password=PASSWORD,
            dbname=DATABASE,
            sslmode="disable",
        )


def install(postgres: PostgreSQL) -> None:
    """Create or update the user, database, functions and views; existing data stays."""
    with closing(postgres.connect("postgres")) as admin:
        admin.set_isolation_level(ISOLATION_LEVEL_AUTOCOMMIT)
        with admin.cursor() as cursor:
            cursor.execute("select 1 from pg_roles where rolname = %s", [USER])
            verb = "alter" if cursor.fetchone() else "create"
            cursor.execute(
                sql.SQL(verb + " role {} login password {}").format(
                    sql.Identifier(USER), sql.Literal(PASSWORD)
                )
            )
            cursor.execute("select 1 from pg_database where datname = %s", [DATABASE])
            if not cursor.fetchone():
                cursor.execute(
                    sql.SQL("create database {} owner {}").format(
                        sql.Identifier(DATABASE), sql.Identifier(USER)
                    )
                )
    with closing(postgres.connect(DATABASE)) as admin, admin, admin.cursor() as cursor:
        for script in ("functions.sql", "system_views.sql", "query_history.sql"):
            cursor.execute((_HERE / script).read_text(encoding="utf-8"))


def drop(postgres: PostgreSQL) -> None:
    """Drop the database with its data, and end its sessions."""
    with closing(postgres.connect("postgres")) as admin:
        admin.set_isolation_level(ISOLATION_LEVEL_AUTOCOMMIT)
        with admin.cursor() as cursor:
            cursor.execute(
                sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(DATABASE))
            )
