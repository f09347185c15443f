"""The sandbox with its real servers: what clients see, and how it comes back."""

from __future__ import annotations

import os
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import boto3
import psycopg2
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import redshift_connector
from psycopg2.extensions import connection as Connection

from sandbox import PortBusy, Sandbox, SandboxError, Settings
from sandbox.errors import UsageError
from sandbox.redshift import postgres
from sandbox.seed import DATA
from sandbox.statements import Statement, most_at_once
from tests.support.repository import REPOSITORY

pytestmark = pytest.mark.integration

Execute = Callable[..., list[tuple[Any, ...]]]
AS_NOBODY = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]


def redshift(sandbox: Sandbox, **changes: object) -> redshift_connector.Connection:
    env = sandbox.env()
    arguments = {
        "host": env["REDSHIFT_HOST"],
        "port": int(env["REDSHIFT_PORT"]),
        "user": env["REDSHIFT_USER"],
        "password": env["REDSHIFT_PASSWORD"],
        "database": env["REDSHIFT_DATABASE"],
        "ssl": False,
    }
    return redshift_connector.connect(**{**arguments, **changes})


def cli(sandbox: Sandbox, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "sandbox", *arguments, "--dir", str(sandbox.settings.directory)],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )


def logged(sandbox: Sandbox, text: str) -> list[Statement]:
    return [statement for statement in sandbox.statements() if text in statement.text]


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, "nothing happened within 30 seconds"
        threading.Event().wait(0.02)


def ask_in_vain(session: Connection, sql: str) -> None:
    with pytest.raises(psycopg2.OperationalError), session.cursor() as cursor:
        cursor.execute(sql)


def nobody_can_run_python() -> bool:
    # By way of a shell, because setpriv itself may still enter folders that nobody may not.
    asked = [*AS_NOBODY, "/bin/sh", "-c", '"$0" -c ""', sys.executable]
    return os.geteuid() == 0 and subprocess.run(asked, check=False).returncode == 0


def processes_of(sandbox: Sandbox) -> list[int]:
    """Every process that works in the sandbox's folder or was started for it."""
    folder = str(sandbox.settings.directory)
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if os.readlink(process / "cwd").startswith(folder):
                found.append(int(process.name))
        except OSError:
            continue  # ended meanwhile
    return found


@pytest.fixture
def own_sandbox(tmp_path: Path) -> Iterator[Sandbox]:
    """For tests that break it."""
    own = Sandbox(Settings.on_free_ports(tmp_path / "state"))
    yield own
    own.down()


class TestData:
    def test_the_source_has_the_rows_of_the_file(self, execute: Execute) -> None:
        assert execute(
            """
            select count(*), sum(case when customer_id is null then 1 else 0 end),
                sum(case when quantity < 0 then 1 else 0 end),
                sum(case when invoice like 'C%' then 1 else 0 end),
                count(distinct customer_id), min(line_number), max(line_number),
                count(distinct line_number), count(distinct loaded_at)
            from retail.transactions
            """
        ) == [(525_461, 107_927, 12_326, 10_206, 4_383, 1, 525_461, 525_461, 1)]
        assert execute(
            """
            select count(*) from (
                select distinct invoice, stock_code, description, quantity, invoice_date, price,
                    customer_id, country
                from retail.transactions
            ) as different
            """
        ) == [(525_461 - 6_865,)]

    def test_seed_replaces_the_rows_by_those_of_a_file(
        self, sandbox: Sandbox, execute: Execute, tmp_path: Path
    ) -> None:
        rows = pq.read_table(DATA).slice(0, 3).to_pylist()
        rows[1] |= {"description": None, "customer_id": None}
        rows[2] |= {"description": 'a "b", c', "price": 1.005}
        pq.write_table(pa.Table.from_pylist(rows), tmp_path / "three.parquet")
        try:
            sandbox.seed(tmp_path / "three.parquet")
            loaded = execute(
                "select line_number, invoice, description, price::varchar, customer_id "
                "from retail.transactions order by 1"
            )
            age = execute(
                "select max(abs(datediff(s, loaded_at, getdate()))) < 60 from retail.transactions"
            )
        finally:
            sandbox.seed()

        assert loaded == [
            (1, "489434", "15CM CHRISTMAS GLASS BALL 20 LIGHTS", "6.950", 13085),
            (2, "489434", None, "6.750", None),
            (3, "489434", 'a "b", c', "1.005", 13085),
        ]
        assert age == [(True,)]
        assert execute("select count(*) from retail.transactions") == [(525_461,)]

    def test_a_file_with_other_columns_is_refused_by_their_names(
        self, sandbox: Sandbox, execute: Execute, tmp_path: Path
    ) -> None:
        file = tmp_path / "wrong.parquet"
        table = pq.read_table(DATA).slice(0, 1)
        pq.write_table(table.rename_columns([*table.column_names[:-1], "land"]), file)

        with pytest.raises(UsageError, match=r"missing \['country'\], unknown \['land'\]"):
            sandbox.seed(file)
        assert cli(sandbox, "seed", "--from", str(file)).returncode == 2

    def test_rows_that_do_not_fit_leave_the_old_ones(
        self, sandbox: Sandbox, execute: Execute, tmp_path: Path
    ) -> None:
        rows = pq.read_table(DATA).slice(0, 1).to_pylist()
        pq.write_table(
            pa.Table.from_pylist([rows[0] | {"invoice": None}]), tmp_path / "null.parquet"
        )

        with pytest.raises(SandboxError, match=r"must fit retail\.transactions, got null value"):
            sandbox.seed(tmp_path / "null.parquet")
        assert execute("select count(*) from retail.transactions") == [(525_461,)]


class TestRedshift:
    def test_the_python_driver_connects_and_reads(self, sandbox: Sandbox) -> None:
        with closing(redshift(sandbox)) as session, closing(session.cursor()) as cursor:
            cursor.execute(
                "select 1::int, 2::bigint, 1.50::decimal(10,2), 'a'::varchar, true, null, "
                "date '2020-01-02', invoice from retail.transactions where line_number = %s",
                (1,),
            )
            (row,) = cursor.fetchall()

        assert [str(value) for value in row] == [
            *("1", "2", "1.50", "a", "True", "None", "2020-01-02", "489434"),
        ]

    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            ({"password": "wrong"}, 'password authentication failed for user "loader_dev"'),
            ({"user": "stranger"}, 'password authentication failed for user "stranger"'),
            ({"database": "nowhere"}, 'database "nowhere" does not exist'),
        ],
    )
    def test_a_wrong_login_is_refused_by_name(
        self, sandbox: Sandbox, changes: dict[str, object], message: str
    ) -> None:
        with pytest.raises(redshift_connector.Error, match=message):
            redshift(sandbox, **changes)

    def test_the_user_is_no_superuser(self, execute: Execute) -> None:
        assert execute("select usesuper from pg_user where usename = current_user") == [(False,)]

    def test_checksum_is_a_signed_integer_over_the_full_range(self, execute: Execute) -> None:
        (row,) = execute(
            """
            select min(c) < -2147000000, max(c) > 2147000000, count(distinct c) > 199990,
                avg(case when c < 0 then 1.0 else 0 end) between 0.49 and 0.51
            from (select checksum(i::varchar) as c from generate_series(1, 200000) as i) as hashed
            """
        )

        assert row == (True, True, True, True)

    def test_one_documented_key_has_the_smallest_checksum(self, execute: Execute) -> None:
        assert execute("select checksum('8845783719'::varchar), pg_typeof(checksum('x'))") == [
            (-(2**31), "integer")
        ]
        with pytest.raises(psycopg2.errors.NumericValueOutOfRange):
            execute("select abs(checksum('8845783719'))")

    def test_checksum_of_a_number_is_its_unscaled_value(self, execute: Execute) -> None:
        assert execute(
            "select checksum(7), checksum(109.20), checksum(-1.5), checksum(2147483648)"
        ) == [(7, 10920, -15, -(2**31))]

    def test_redshift_functions_do_what_aws_documents(self, execute: Execute) -> None:
        assert execute(
            """
            select datediff(qtr, '1998-07-01'::date, '2009-10-31'::date),
                datediff(week, '2009-01-01'::date, '2009-12-31'::date),
                dateadd(month, 1, '2020-01-31'::date)::varchar, last_day('2020-02-01')::varchar,
                add_months('2008-02-29', 1)::date::varchar, strtol('0xf', 16), len('abc'),
                charindex('b', 'abc'), nvl(null, 2), nvl2(null::int, 1, 2),
                listagg(x, ',') within group (order by x desc)
            from (select 'a' as x union all select 'b') as letters
            """
        ) == [(45, 52, "2020-02-29 00:00:00", "2020-02-29", "2008-03-31", 15, 3, 2, 2, 2, "b,a")]

    def test_a_cancelled_query_ends(self, sandbox: Sandbox) -> None:
        with closing(sandbox.connect()) as session, session.cursor() as cursor:
            threading.Timer(0.2, session.cancel).start()
            with pytest.raises(psycopg2.errors.QueryCanceled):
                cursor.execute("select pg_sleep(60)")

    def test_a_killed_server_ends_its_clients_queries_at_once(self, own_sandbox: Sandbox) -> None:
        own_sandbox.up()
        with closing(own_sandbox.connect()) as session, session.cursor() as cursor:
            threading.Timer(0.2, own_sandbox.kill, ["postgres"]).start()
            with pytest.raises(psycopg2.OperationalError):
                cursor.execute("select pg_sleep(600)")

        (statement,) = logged(own_sandbox, "pg_sleep(600)")
        assert statement.error == "the server hung up"

    def test_a_client_that_vanishes_ends_its_query(
        self, sandbox: Sandbox, execute: Execute
    ) -> None:
        session = sandbox.connect()
        asked = threading.Thread(target=ask_in_vain, args=(session, "select pg_sleep(601)"))
        asked.start()
        wait_until(lambda: bool(logged(sandbox, "pg_sleep(601)")))
        socket.socket(fileno=os.dup(session.fileno())).shutdown(socket.SHUT_RDWR)
        asked.join()

        wait_until(lambda: logged(sandbox, "pg_sleep(601)")[0].finished_at is not None)
        assert logged(sandbox, "pg_sleep(601)")[0].error == "the client hung up"
        wait_until(
            lambda: (
                execute("select 1 from pg_stat_activity where query like '%pg_sleep(601)' ") == []
            )
        )


class TestStatements:
    def test_a_statement_is_logged_as_asked_and_as_run(self, sandbox: Sandbox) -> None:
        with closing(redshift(sandbox, application_name="the test")) as session:
            session.cursor().execute("select nvl(null, 'logged once')")
            (pid,) = session.cursor().execute("select pg_backend_pid()").fetchone()

        (statement,) = logged(sandbox, "logged once")
        assert (statement.text, statement.rewritten, statement.error) == (
            "select nvl(null, 'logged once')",
            "select coalesce(null, 'logged once')",
            None,
        )
        assert (statement.user, statement.database, statement.session_id) == (
            "loader_dev",
            "dev",
            pid,
        )
        assert statement.application_name == "the test"
        assert statement.finished_at is not None
        assert statement.finished_at > statement.started_at

    @pytest.mark.parametrize("sql", ["selec 'refused'", "select 1/0 as refused"])
    def test_a_refused_statement_is_logged_with_its_error(self, sandbox: Sandbox, sql: str) -> None:
        with closing(redshift(sandbox)) as session, pytest.raises(redshift_connector.Error):
            session.cursor().execute(sql)

        (statement,) = logged(sandbox, sql)
        assert statement.error
        assert statement.error.startswith("ERROR ")

    def test_a_large_result_ends_when_its_last_row_was_sent(self, sandbox: Sandbox) -> None:
        with closing(redshift(sandbox)) as session, closing(session.cursor()) as cursor:
            cursor.execute("select i, 'Z', 'Italy' from generate_series(1, 200000) as large (i)")
            rows = len(cursor.fetchall())
            cursor.execute("select 'after the large one'")

        (large,), (after,) = logged(sandbox, "as large"), logged(sandbox, "after the large one")
        assert rows == 200_000
        assert large.finished_at
        assert large.finished_at <= after.started_at

    def test_statements_that_run_together_are_counted(self, sandbox: Sandbox) -> None:
        meet = "select 'together' from pg_sleep_for('1 hour')"
        sessions = [sandbox.connect() for _ in range(4)]
        threads = [threading.Thread(target=ask_in_vain, args=(each, meet)) for each in sessions]
        for thread in threads:
            thread.start()
        wait_until(lambda: len(logged(sandbox, "together")) == 4)
        for each in sessions:
            each.cancel()
        for thread in threads:
            thread.join()

        together = logged(sandbox, "together")
        assert most_at_once(together) == 4
        assert [s.error for s in together] == [
            "ERROR 57014: canceling statement due to user request"
        ] * 4

    def test_sys_query_history_shows_what_was_run(self, sandbox: Sandbox, execute: Execute) -> None:
        execute("/* a comment */ select count(*) from retail.transactions where 'find me' <> ''")
        with pytest.raises(psycopg2.errors.DivisionByZero):
            execute("select 1/0 as find_me_failed")

        assert execute(
            """
            select query_text, query_type, status, database_name, error_message,
                execution_time between 1 and datediff(us, start_time, end_time),
                abs(datediff(s, start_time, sysdate)) < 60
            from sys_query_history
            where query_text like %s and query_text not like %s order by start_time desc
            """,
            "%find%me%",
            "%sys_query_history%",
        ) == [
            (
                "select 1/0 as find_me_failed",
                *("SELECT", "failed", "dev", "ERROR 22012: division by zero", True, True),
            ),
            (
                "/* a comment */ select count(*) from retail.transactions where 'find me' <> ''",
                *("SELECT", "success", "dev", None, True, True),
            ),
        ]


class TestDynamoDB:
    def test_boto3_finds_dynamodb_and_s3_by_the_environment(
        self, sandbox_env: dict[str, str]
    ) -> None:
        dynamodb, s3 = boto3.client("dynamodb"), boto3.client("s3")
        dynamodb.create_table(
            TableName="table",
            KeySchema=[{"AttributeName": "k", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "k", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        dynamodb.put_item(TableName="table", Item={"k": {"S": "1"}})
        s3.create_bucket(Bucket="bucket")
        s3.put_object(Bucket="bucket", Key="o", Body=b"x")

        assert dynamodb.get_item(TableName="table", Key={"k": {"S": "1"}})["Item"] == {
            "k": {"S": "1"}
        }
        assert s3.get_object(Bucket="bucket", Key="o")["Body"].read() == b"x"

    def test_it_listens_on_loopback_only(self, sandbox: Sandbox) -> None:
        listeners = Path("/proc/net/tcp").read_text() + Path("/proc/net/tcp6").read_text()
        ports = [f":{port:04X}" for port in sandbox.settings.ports().values()]
        bound = {
            line.split()[1]
            for line in listeners.splitlines()
            if line.split()[3] == "0A" and line.split()[1].endswith(tuple(ports))
        }

        assert bound == {f"0100007F{port}" for port in ports}


class TestCommands:
    def test_up_again_changes_nothing(self, sandbox: Sandbox) -> None:
        before = sandbox.status()
        again = cli(sandbox, "up")

        assert (again.returncode, again.stdout, again.stderr) == (
            0,
            "",
            "sandbox: all services run\n",
        )
        assert sandbox.status() == before

    def test_env_is_read_by_a_shell(self, sandbox: Sandbox) -> None:
        script = cli(sandbox, "env").stdout
        said = subprocess.run(
            ["/bin/sh", "-c", f"{script}\nenv"], env={}, capture_output=True, text=True, check=True
        ).stdout.splitlines()

        assert {f"{name}={value}" for name, value in sandbox.env().items()} <= set(said)
        assert len(shlex.split(script)) == 2 * len(sandbox.env())

    def test_status_says_what_runs(self, own_sandbox: Sandbox) -> None:
        own_sandbox.up()
        own_sandbox.stop("dynamodb")
        status = cli(own_sandbox, "status")

        ports = own_sandbox.settings.ports()
        pids = {service.name: service.pid for service in own_sandbox.status()}
        assert status.returncode == 3
        assert status.stdout.splitlines() == [
            f"postgres  port {ports['postgres_port']:<6} running  pid {pids['postgres']}",
            f"redshift  port {ports['redshift_port']:<6} running  pid {pids['redshift']}",
            f"dynamodb  port {ports['dynamodb_port']:<6} stopped",
        ]
        own_sandbox.up()
        assert cli(own_sandbox, "status").returncode == 0

    @pytest.mark.parametrize("service", ["redshift", "postgres", "dynamodb"])
    def test_a_busy_port_is_named_and_nothing_is_started(
        self, own_sandbox: Sandbox, service: str
    ) -> None:
        port = own_sandbox.settings.ports()[f"{service}_port"]
        with socket.create_server(("127.0.0.1", port)):
            with pytest.raises(PortBusy, match=rf"port of {service} .* 127\.0\.0\.1:{port}: "):
                own_sandbox.up()
            asked = cli(own_sandbox, "up", f"--{service}-port", str(port))

        assert asked.returncode == 2
        assert [service.pid for service in own_sandbox.status()] == [None, None, None]

    def test_reset_brings_the_first_state_back(self, own_sandbox: Sandbox) -> None:
        own_sandbox.up()
        with closing(own_sandbox.connect()) as session, session, session.cursor() as cursor:
            cursor.execute("create schema analytics")
            cursor.execute("delete from retail.transactions where line_number > 1")
        own_sandbox.reset()

        with closing(own_sandbox.connect()) as session, session.cursor() as cursor:
            cursor.execute("select count(*) from retail.transactions")
            assert cursor.fetchall() == [(525_461,)]
            cursor.execute("select nspname from pg_namespace where nspname = 'analytics'")
            assert cursor.fetchall() == []
        assert logged(own_sandbox, "create schema") == []

    def test_without_the_servers_the_remedy_is_named(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("SANDBOX_VENV", str(tmp_path))
        done = subprocess.run(
            [sys.executable, "-m", "sandbox", "up", "--dir", str(tmp_path / "state")],
            capture_output=True,
            text=True,
            check=False,
        )

        assert done.returncode == 2
        assert done.stderr.endswith(f"got no {tmp_path}/bin/ministack: run `make setup`\n")


class TestRecovery:
    def test_down_leaves_no_process_and_keeps_the_warehouse(self, own_sandbox: Sandbox) -> None:
        own_sandbox.up()
        with closing(own_sandbox.connect()) as session, session, session.cursor() as cursor:
            cursor.execute("delete from retail.transactions where line_number > 5")
        own_sandbox.down()
        wait_until(lambda: processes_of(own_sandbox) == [])
        own_sandbox.up()

        with closing(own_sandbox.connect()) as session, session.cursor() as cursor:
            cursor.execute("select count(*) from retail.transactions")
            assert cursor.fetchall() == [(5,)]

    def test_up_recovers_after_every_process_was_killed(self, own_sandbox: Sandbox) -> None:
        own_sandbox.up()
        for pid in processes_of(own_sandbox):
            os.kill(pid, signal.SIGKILL)
        own_sandbox.up()

        assert all(service.pid for service in own_sandbox.status())
        with closing(own_sandbox.connect()) as session, session.cursor() as cursor:
            cursor.execute("select count(*) from retail.transactions")
            assert cursor.fetchall() == [(525_461,)]

    @pytest.mark.parametrize("after", ["up", "down"])
    def test_a_query_that_outlived_its_killed_server_is_ended(
        self, own_sandbox: Sandbox, after: str
    ) -> None:
        own_sandbox.up()
        busy = own_sandbox.connect()
        spin = "select count(*) from generate_series(1, 100000000000) as endless"
        asked = threading.Thread(target=ask_in_vain, args=(busy, spin))
        asked.start()
        wait_until(lambda: bool(logged(own_sandbox, "endless")))
        (server,) = [s.pid for s in own_sandbox.status() if s.name == "postgres"]
        assert server is not None
        os.kill(server, signal.SIGKILL)
        getattr(own_sandbox, after)()
        asked.join()

        expected = 3 if after == "up" else 0
        assert len([s for s in own_sandbox.status() if s.pid]) == expected
        own_sandbox.down()
        wait_until(lambda: processes_of(own_sandbox) == [])


class TestAccounts:
    """PostgreSQL refuses root, so each way to run it is tried."""

    @pytest.mark.skipif(not nobody_can_run_python(), reason="root's Python is closed to others")
    def test_it_runs_for_an_ordinary_account(self) -> None:
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

    @pytest.mark.skipif(os.geteuid() != 0, reason="only root must become somebody else")
    def test_root_without_user_namespaces_runs_it_as_nobody(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(postgres, "_user_namespaces_work", lambda: False)
        with tempfile.TemporaryDirectory(dir="/var/tmp") as name:
            folder = Path(name)
            folder.chmod(0o777)
            own = Sandbox(Settings.on_free_ports(folder / "state"))
            try:
                own.up()
                (server,) = [s.pid for s in own.status() if s.name == "postgres"]
                owner = Path(f"/proc/{server}").stat().st_uid
                with closing(own.connect()) as session, session.cursor() as cursor:
                    cursor.execute("select count(*) > 0 from sys_query_history")
                    history = cursor.fetchall()
            finally:
                own.down()

        assert (owner, history) == (65534, [(True,)])


def test_run_gives_a_command_a_sandbox_of_its_own_and_its_exit_code() -> None:
    script = (
        "import os, redshift_connector as r, sys\n"
        "e = os.environ\n"
        "c = r.connect(host=e['REDSHIFT_HOST'], port=int(e['REDSHIFT_PORT']), ssl=False,\n"
        "    user=e['REDSHIFT_USER'], password=e['REDSHIFT_PASSWORD'], database='dev').cursor()\n"
        "c.execute('select count(*) from retail.transactions')\n"
        "print(c.fetchone()[0], e['REDSHIFT_PORT'])\n"
        "sys.exit(7)\n"
    )
    command = [sys.executable, "-m", "sandbox", "run", "--", sys.executable, "-c", script]
    run = subprocess.run(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True, check=False)

    rows, port = run.stdout.split()
    assert (run.returncode, rows) == (7, "525461")
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", int(port))) != 0  # stopped
