"""Broker and client over real sockets."""

import pickle
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from functools import partial

import pytest

from loader.pace import messages
from loader.pace.allowance import Allowance
from loader.pace.broker import Broker
from loader.pace.ceiling import Ceiling
from loader.pace.client import STOP_SECONDS, Address, Client, pace_client
from loader.pace.messages import Key
from loader.pace.report import TABLE, Spent, Throttle

KEY = Key()
HOST = "127.0.0.1"


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def until(condition: Callable[[], bool]) -> None:
    """Wait for a condition that another thread makes true."""
    deadline = time.monotonic() + 20
    pause = threading.Event()
    while not condition():
        assert time.monotonic() < deadline, "the condition does not come true"
        pause.wait(0.001)


def allowance(rate: float = 1e6) -> Allowance:
    return Allowance({TABLE: Ceiling(rate, rate)}, time.monotonic())


@pytest.fixture
def broker() -> Iterator[Broker]:
    broker = Broker(allowance(), KEY, HOST)
    yield broker
    broker.close()


def address(port: int, key: Key = KEY, share: float = 100.0) -> Address:
    return Address(HOST, port, key, {TABLE: share})


def client(address: Address, clock: Callable[[], float] = time.monotonic) -> Client:
    return Client(address, clock, sleep=lambda _: None, uniform=lambda _, most: most)


def write(client: Client, units: float = 25.0) -> None:
    """A request as the writer sends it: waits for its units, and enters the answer."""
    until(lambda: client.wait(units) == 0)
    client.answered(Spent(units, units, {TABLE: units}))


def units_in_10_seconds(client: Client, clock: Clock) -> float:
    """The units that a task spends in 10 seconds if it sends as much as it may."""
    end, units = clock.now + 10.0, 0.0
    while clock.now < end:
        if seconds := client.wait(25.0):
            clock.now += seconds
        else:
            units += 25.0
            client.answered(Spent(25.0, 25.0, {TABLE: 25.0}))
    return units


def test_a_task_that_knows_the_key_gets_units_and_reports_what_it_consumed(broker: Broker) -> None:
    with closing(client(address(broker.port))) as task:
        for _ in range(40):
            write(task)
        throttle = Throttle("by_item", "IndexWriteAccountLimitExceeded")
        task.answered(Spent(25.0, 0.0, {}, 25.0, [throttle]))
        task.finish()
        until(lambda: broker.totals()[0].requests == 41)
        totals, rates = broker.totals()
        assert totals.consumed == {TABLE: 1_000.0}
        assert totals.throttles == {throttle: 1}
        assert rates == {TABLE: 1e6}
        assert (task.fallback, task.stopped(), broker.connected) == (None, None, 1)


def test_the_limit_can_change_while_tasks_are_connected(broker: Broker) -> None:
    with closing(client(address(broker.port))) as task:
        write(task)
        broker.set_limits({TABLE: Ceiling(2e6, 2e6), "by_item": Ceiling(1e6)})
        write(task)
        assert broker.totals()[1] == {TABLE: 2e6, "by_item": 1e6}
        assert task.request_units == pytest.approx(1e5, rel=0.01)


def test_many_tasks_share_one_broker(broker: Broker) -> None:
    tasks = [client(address(broker.port)) for _ in range(50)]
    for task in tasks:
        write(task)
        task.finish()
    until(lambda: broker.totals()[0].requests == 50)
    assert broker.connected == 50
    for task in tasks:
        task.close()
    until(lambda: broker.connected == 0)


def test_a_task_with_another_key_gets_nothing_and_keeps_to_a_fixed_share(broker: Broker) -> None:
    clock = Clock()
    task = client(address(broker.port, Key()), clock)
    assert task.fallback is not None
    assert task.fallback.startswith(f"cannot connect to the driver at 127.0.0.1:{broker.port}: ")
    assert broker.connected == 0
    assert 970 <= units_in_10_seconds(task, clock) <= 1_025
    assert (broker.totals()[0].requests, task.stopped()) == (0, None)


def test_a_driver_that_does_not_know_the_key_is_not_trusted() -> None:
    with socket.create_server((HOST, 0)) as server:

        def pretend() -> None:
            for _ in range(3):
                connection, _ = server.accept()
                connection.sendall(messages.line({"nonce": "0"}))
                connection.recv(1_000)
                connection.sendall(messages.line({"proof": "0" * 64}))
                connection.close()

        thread = threading.Thread(target=pretend)
        thread.start()
        port = server.getsockname()[1]
        task = client(address(port))
        thread.join()
    assert task.fallback == (
        f"cannot connect to the driver at 127.0.0.1:{port}: it does not know the key of the run"
    )


@pytest.mark.parametrize(
    "sent",
    [
        b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"x" * 1_000,
        b'{"task":"","nonce":"","proof":""}\n',
        b'{"task":"a","nonce":"b","proof":7}\n',
        b"\n",
        b"\xff\n",
    ],
)
def test_anything_but_a_task_is_disconnected_and_the_tasks_are_served(
    broker: Broker, sent: bytes
) -> None:
    with (
        closing(client(address(broker.port))) as task,
        socket.create_connection((HOST, broker.port), 20) as other,
    ):
        assert other.recv(1_000).startswith(b'{"nonce":')
        other.sendall(sent)
        with suppress(ConnectionResetError):  # if it did not read all
            assert other.recv(1_000) == b""
        write(task)
        assert (broker.connected, broker.is_serving) == (1, True)


def test_a_task_finds_a_restarted_broker_again_and_its_totals_go_on() -> None:
    first = Broker(allowance(), KEY, HOST)
    with closing(client(address(first.port))) as task:
        write(task)
        task.finish()
        until(lambda: first.totals()[0].requests == 1)
        second = first.restarted()
        assert (second.port, first.is_serving) == (first.port, False)
        for _ in range(10):
            write(task)
        task.finish()
        until(lambda: second.totals()[0].requests == 11)
        assert second.totals()[0].consumed == {TABLE: 275.0}
        assert (task.stopped(), task.fallback) == (None, None)
        second.close()


def test_a_task_that_lost_its_driver_stops_after_10_seconds() -> None:
    broker = Broker(allowance(), KEY, HOST)
    clock = Clock()
    with closing(client(address(broker.port), clock)) as task:
        write(task)
        broker.close()
        until(lambda: task.wait(1e6) > 0 and task.wait(1e6) > 0)
        while task.stopped() is None:
            lost = clock.now
            assert task.wait(1e6) > 0
            clock.now += 1.0
        assert 109.0 <= lost <= 112.0
        assert task.stopped() == (
            f"the task has lost the driver at 127.0.0.1:{broker.port} for 10 s: "
            "[Errno 111] Connection refused"
        )


@pytest.fixture(params=["during a slice", "between two slices"])
def lost(request: pytest.FixtureRequest) -> tuple[Broker, Clock, Callable[[], Client]]:
    """A broker that has ended, and what gives the client of a process that lost it for 10 s."""
    broker, clock = Broker(allowance(), KEY, HOST), Clock()
    connect = partial(client, clock=clock)
    slice_pace = partial(pace_client, address(broker.port), request.node.name, connect)
    first = slice_pace()
    write(first)
    assert slice_pace() is first
    broker.close()
    until(lambda: first.wait(1e6) > 0 and first.wait(1e6) > 0)
    clock.now += STOP_SECONDS
    while request.param == "during a slice" and not first.stopped():
        assert first.wait(1e6) > 0
        clock.now += 1.0
    first.finish()
    return broker, clock, slice_pace


def test_a_process_that_lost_the_driver_connects_again_for_its_next_slice(
    lost: tuple[Broker, Clock, Callable[[], Client]],
) -> None:
    ended, _, slice_pace = lost
    broker = ended.restarted()
    with closing(slice_pace()) as task:
        for _ in range(40):
            write(task)
        task.finish()
        until(lambda: broker.totals()[0].requests == 41)
        assert (task.stopped(), task.fallback, broker.connected) == (None, None, 1)
        assert slice_pace() is task
    broker.close()


def test_a_process_that_cannot_reach_the_driver_again_writes_its_next_slices_at_a_fixed_share(
    lost: tuple[Broker, Clock, Callable[[], Client]],
) -> None:
    ended, clock, slice_pace = lost
    task = slice_pace()
    assert 970 <= units_in_10_seconds(task, clock) <= 1_025
    assert (task.stopped(), task.fallback) == (
        None,
        f"cannot connect to the driver at 127.0.0.1:{ended.port}: [Errno 111] Connection refused",
    )
    assert slice_pace() is task


def test_a_driver_that_gives_no_sign_of_life_is_lost_too() -> None:
    """Such as one whose machine was cut off: no packet says that it has gone."""
    clock = Clock()
    with socket.create_server((HOST, 0)) as server:

        def prove() -> None:
            connection, _ = server.accept()
            with connection, connection.makefile("rb") as lines:
                connection.sendall(messages.line({"nonce": "1"}))
                read = messages.document(lines.readline())
                proof = KEY.proof("driver", read["task"], "1", read["nonce"])
                connection.sendall(messages.line({"proof": proof}))
                server.close()
                lines.read()

        thread = threading.Thread(target=prove)
        thread.start()
        task = client(address(server.getsockname()[1]), clock)
        assert task.fallback is None
        while task.stopped() is None:
            assert task.wait(25.0) > 0
            clock.now += 0.5
        thread.join()
    assert 109.0 <= clock.now <= 113.0


def test_a_task_receives_the_key_in_its_closure_and_no_text_shows_it(broker: Broker) -> None:
    place = address(broker.port)
    assert KEY.secret.hex() not in repr(place)
    assert f"{KEY.secret!r}" not in repr(place)
    assert str(place) == f"127.0.0.1:{broker.port}"
    with closing(client(pickle.loads(pickle.dumps(place)))) as task:  # noqa: S301
        write(task)
