"""The sandbox after it was stopped or killed."""

from __future__ import annotations

import os
import signal
import threading

import pytest

from sandbox import Sandbox
from tests.support.sandboxes import (
    execute,
    expect_disconnect,
    logged,
    processes_of,
    wait_until,
)

pytestmark = pytest.mark.integration


def test_down_leaves_no_process_and_keeps_the_warehouse(private_sandbox: Sandbox) -> None:
    execute(private_sandbox, "create table kept as select generate_series(1, 5)")
    private_sandbox.down()
    wait_until(lambda: processes_of(private_sandbox) == [])
    private_sandbox.up()

    counts = "select (select count(*) from retail.transactions), count(*) from kept"
    assert execute(private_sandbox, counts) == [(525_461, 5)]


def test_up_recovers_after_every_process_was_killed(private_sandbox: Sandbox) -> None:
    for pid in processes_of(private_sandbox):
        os.kill(pid, signal.SIGKILL)
    private_sandbox.up()

    assert all(service.pid for service in private_sandbox.status())
    assert execute(private_sandbox, "select count(*) from retail.transactions") == [(525_461,)]


@pytest.mark.parametrize("after", ["up", "down"])
def test_a_query_that_outlived_its_killed_server_is_ended(
    private_sandbox: Sandbox, after: str
) -> None:
    busy = private_sandbox.connect()
    name = f"endless_until_{after}"
    spin = f"select count(*) from generate_series(1, 100000000000) as {name}"  # noqa: S608
    client = threading.Thread(target=expect_disconnect, args=(busy, spin))
    client.start()
    wait_until(lambda: bool(logged(private_sandbox, name)))
    (server,) = [s.pid for s in private_sandbox.status() if s.name == "postgres"]
    assert server is not None
    os.kill(server, signal.SIGKILL)
    getattr(private_sandbox, after)()
    client.join()

    expected = 3 if after == "up" else 0
    assert len([s for s in private_sandbox.status() if s.pid]) == expected
    private_sandbox.down()
    wait_until(lambda: processes_of(private_sandbox) == [])
