"""The sandbox after it was stopped or killed."""

from __future__ import annotations

import os
import signal
import threading
from contextlib import closing

import pytest

from sandbox import Sandbox
from tests.support.sandboxes import (
    expect_disconnect,
    logged,
    processes_of,
    wait_until,
)

pytestmark = pytest.mark.integration


def test_down_leaves_no_process_and_keeps_the_warehouse(private_sandbox: Sandbox) -> None:
    private_sandbox.up()
    with closing(private_sandbox.connect()) as session, session, session.cursor() as cursor:
        cursor.execute("delete from retail.transactions where line_number > 5")
    private_sandbox.down()
    wait_until(lambda: processes_of(private_sandbox) == [])
    private_sandbox.up()

    with closing(private_sandbox.connect()) as session, session.cursor() as cursor:
        cursor.execute("select count(*) from retail.transactions")
        assert cursor.fetchall() == [(5,)]


def test_up_recovers_after_every_process_was_killed(private_sandbox: Sandbox) -> None:
    private_sandbox.up()
    for pid in processes_of(private_sandbox):
        os.kill(pid, signal.SIGKILL)
    private_sandbox.up()

    assert all(service.pid for service in private_sandbox.status())
    with closing(private_sandbox.connect()) as session, session.cursor() as cursor:
        cursor.execute("select count(*) from retail.transactions")
        assert cursor.fetchall() == [(525_461,)]


@pytest.mark.parametrize("after", ["up", "down"])
def test_a_query_that_outlived_its_killed_server_is_ended(
    private_sandbox: Sandbox, after: str
) -> None:
    private_sandbox.up()
    busy = private_sandbox.connect()
    spin = "select count(*) from generate_series(1, 100000000000) as endless"
    client = threading.Thread(target=expect_disconnect, args=(busy, spin))
    client.start()
    wait_until(lambda: bool(logged(private_sandbox, "endless")))
    (server,) = [s.pid for s in private_sandbox.status() if s.name == "postgres"]
    assert server is not None
    os.kill(server, signal.SIGKILL)
    getattr(private_sandbox, after)()
    client.join()

    expected = 3 if after == "up" else 0
    assert len([s for s in private_sandbox.status() if s.pid]) == expected
    private_sandbox.down()
    wait_until(lambda: processes_of(private_sandbox) == [])
