"""The sandbox's Redshift as its clients see it."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable
from contextlib import closing
from typing import Any

import psycopg2
import pytest
import redshift_connector

from sandbox import Sandbox
from tests.support.sandboxes import (
    expect_disconnect,
    logged,
    redshift,
    wait_for_queries,
    wait_until,
)

pytestmark = pytest.mark.integration

Execute = Callable[..., list[tuple[Any, ...]]]


def test_the_python_driver_connects_and_reads(sandbox: Sandbox) -> None:
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
def test_a_failed_login_names_the_cause(
    sandbox: Sandbox, changes: dict[str, object], message: str
) -> None:
    with pytest.raises(redshift_connector.Error, match=message):
        redshift(sandbox, **changes)


def test_the_user_is_no_superuser(execute: Execute) -> None:
    assert execute("select usesuper from pg_user where usename = current_user") == [(False,)]


def test_checksum_is_a_signed_integer_over_the_full_range(execute: Execute) -> None:
    (row,) = execute(
        """
        select min(c) < -2147000000, max(c) > 2147000000, count(distinct c) > 199990,
            avg(case when c < 0 then 1.0 else 0 end) between 0.49 and 0.51
        from (select checksum(i::varchar) as c from generate_series(1, 200000) as i) as hashed
        """
    )

    assert row == (True, True, True, True)


def test_the_documented_key_has_the_smallest_checksum(execute: Execute) -> None:
    assert execute("select checksum('8845783719'::varchar), pg_typeof(checksum('x'))") == [
        (-(2**31), "integer")
    ]
    with pytest.raises(psycopg2.errors.NumericValueOutOfRange):
        execute("select abs(checksum('8845783719'))")


def test_checksum_of_a_number_is_its_unscaled_value(execute: Execute) -> None:
    assert execute(
        "select checksum(7), checksum(109.20), checksum(-1.5), checksum(2147483648)"
    ) == [(7, 10920, -15, -(2**31))]


def test_64_bit_hashes_differ_for_any_two_values(execute: Execute) -> None:
    texts = "('a'), ('a '), ('A'), (''), ('é')"
    assert execute(
        f"""
        select count(distinct farmfingerprint64(t::varchar)), count(distinct fnv_hash(t::varchar)),
            count(distinct farmfingerprint64(convert_to(t, 'UTF8'))), pg_typeof(min(fnv_hash(t)))
        from (values {texts}) as texts (t)
        """  # noqa: S608 constants
    ) == [(5, 5, 5, "bigint")]
    assert execute(
        """
        select count(distinct fnv_hash(f)), count(distinct fnv_hash(f::real))
        from (values (0::float8), ('-0'), (1.5), (1.5000000000000002), ('NaN')) as doubles (f)
        """
    ) == [(5, 4)]


def test_redshift_functions_do_what_aws_documents(execute: Execute) -> None:
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


def when_runs(sandbox: Sandbox, text: str, action: Callable[[], None]) -> None:
    """Do this, in a thread, when the query with this text runs."""

    def act() -> None:
        wait_for_queries(sandbox, text)
        action()

    threading.Thread(target=act).start()


def test_a_cancelled_query_ends(sandbox: Sandbox) -> None:
    with closing(sandbox.connect()) as session, session.cursor() as cursor:
        when_runs(sandbox, "pg_sleep(60)", session.cancel)
        with pytest.raises(psycopg2.errors.QueryCanceled):
            cursor.execute("select pg_sleep(60)")


def test_the_queries_of_a_killed_server_end_at_once(private_sandbox: Sandbox) -> None:
    with closing(private_sandbox.connect()) as session, session.cursor() as cursor:
        when_runs(private_sandbox, "pg_sleep(600)", lambda: private_sandbox.kill("postgres"))
        with pytest.raises(psycopg2.OperationalError):
            cursor.execute("select pg_sleep(600)")

    (statement,) = logged(private_sandbox, "pg_sleep(600)")
    assert statement.error == "the server disconnected"


def test_the_query_of_a_disconnected_client_ends(sandbox: Sandbox, execute: Execute) -> None:
    session = sandbox.connect()
    client = threading.Thread(target=expect_disconnect, args=(session, "select pg_sleep(601)"))
    client.start()
    wait_until(lambda: bool(logged(sandbox, "pg_sleep(601)")))
    socket.socket(fileno=os.dup(session.fileno())).shutdown(socket.SHUT_RDWR)
    client.join()

    wait_until(lambda: logged(sandbox, "pg_sleep(601)")[0].finished_at is not None)
    assert logged(sandbox, "pg_sleep(601)")[0].error == "the client disconnected"
    wait_until(
        lambda: execute("select 1 from pg_stat_activity where query like '%pg_sleep(601)' ") == []
    )
