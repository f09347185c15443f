"""The statement log and SYS_QUERY_HISTORY with real clients."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import closing
from typing import Any

import psycopg2
import pytest
import redshift_connector

from sandbox import Sandbox
from sandbox.statements import most_at_once
from tests.support.sandboxes import (
    expect_disconnect,
    logged,
    redshift,
    wait_for_queries,
)

pytestmark = pytest.mark.integration

Execute = Callable[..., list[tuple[Any, ...]]]


def test_a_statement_is_logged_as_sent_and_as_rewritten(sandbox: Sandbox) -> None:
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
def test_a_failed_statement_is_logged_with_its_error(sandbox: Sandbox, sql: str) -> None:
    with closing(redshift(sandbox)) as session, pytest.raises(redshift_connector.Error):
        session.cursor().execute(sql)

    (statement,) = logged(sandbox, sql)
    assert statement.error
    assert statement.error.startswith("ERROR ")


def test_a_large_result_ends_with_its_last_row(sandbox: Sandbox) -> None:
    with closing(redshift(sandbox)) as session, closing(session.cursor()) as cursor:
        cursor.execute("select i, 'Z', 'Italy' from generate_series(1, 200000) as large (i)")
        rows = len(cursor.fetchall())
        cursor.execute("select 'after the large one'")

    (large,), (after,) = logged(sandbox, "as large"), logged(sandbox, "after the large one")
    assert rows == 200_000
    assert large.finished_at
    assert large.finished_at <= after.started_at


def test_statements_that_run_at_the_same_time_are_counted(sandbox: Sandbox) -> None:
    sql = "select 'together' from pg_sleep(120)"
    sessions = [sandbox.connect() for _ in range(4)]
    threads = [
        threading.Thread(target=expect_disconnect, args=(session, sql)) for session in sessions
    ]
    for thread in threads:
        thread.start()
    wait_for_queries(sandbox, "together", 4)
    for session in sessions:
        session.cancel()
    for thread in threads:
        thread.join(60)

    together = logged(sandbox, "together")
    assert most_at_once(together) == 4
    assert [s.error for s in together] == [
        "ERROR 57014: canceling statement due to user request"
    ] * 4


def test_sys_query_history_shows_the_statements(sandbox: Sandbox, execute: Execute) -> None:
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
