"""The limits of an apply, followed while tasks write."""

import socket
import threading
from contextlib import closing
from math import inf
from pathlib import Path

import pytest

from loader.apply.pacing import PACE_FILE, Place, current_setting, driver_place, paced
from loader.capacity_setting import DEFAULT
from loader.dynamodb.allowed_rates import AllowedRate
from loader.errors import Refused
from loader.pace.ceiling import Ceiling
from loader.pace.client import Client
from loader.storage.location import Location

PLACE = Place("127.0.0.1", "127.0.0.1")


@pytest.fixture(autouse=True)
def only_the_test_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("loader.apply.pacing.LOOK_SECONDS", 3600.0)


def limit(units: float | None) -> AllowedRate:
    return AllowedRate("", units, units or inf, "as set")


def test_without_a_limit_nothing_is_served_and_tasks_have_no_address() -> None:
    with paced(lambda: [limit(None)], PLACE, slots=4) as pacing:
        pacing.look()
        assert (pacing.address, pacing.broker, pacing.totals()[1]) == (None, None, {})


def test_tasks_get_an_address_with_the_share_of_a_slot_and_what_they_consume_is_counted() -> None:
    with paced(lambda: [limit(2_000)], PLACE, slots=4) as pacing:
        assert pacing.address is not None
        assert pacing.address.share == {"": 500.0}
        with closing(Client(pacing.address)) as task:
            assert task.fallback is None
        assert pacing.totals()[1] == {"": 2_000}
        assert [rates for _, rates in pacing.allowed] == [{"": 2_000}]


def test_a_changed_table_changes_the_limit_and_an_unchanged_one_does_not() -> None:
    units = [2_000.0]
    with paced(lambda: [limit(units[0])], PLACE, slots=4) as pacing:
        pacing.look()
        units[0] = 4_000.0
        pacing.look()
        pacing.look()
        assert [rates for _, rates in pacing.allowed] == [{"": 2_000}, {"": 4_000}]
        assert pacing.totals()[1] == {"": 4_000}


def test_a_limit_that_falls_because_the_table_throttles_is_recorded_too() -> None:
    with paced(lambda: [limit(2_000)], PLACE, slots=4) as pacing:
        assert pacing.broker is not None
        pacing.broker.set_limits({"": Ceiling(1_760, 2_000)})
        pacing.look()
        assert [rates for _, rates in pacing.allowed] == [{"": 2_000}, {"": 1_760}]


def test_tasks_that_use_a_fixed_share_leave_the_others_the_rest_of_the_limit() -> None:
    alone, units = [0], [2_000.0]
    with paced(lambda: [limit(units[0])], PLACE, slots=4, alone=lambda: alone[0]) as pacing:
        given = []
        for alone[0], units[0] in [(1, 2_000), (3, 2_000), (5, 2_000), (1, 1_000)]:
            pacing.look()
            given.append(pacing.totals()[1][""])
        assert given == [1_500, 500, 200, 500]
        assert [rates[""] for _, rates in pacing.allowed] == [2_000, 1_000]


def test_limits_that_cannot_be_looked_up_stay_and_the_problem_is_kept_once() -> None:
    answers = iter([[limit(2_000)]])

    def rates() -> list[AllowedRate]:
        for answer in answers:
            return answer
        raise Refused("cannot describe table t")

    with paced(rates, PLACE, slots=4) as pacing:
        pacing.look()
        pacing.look()
        assert pacing.problems == ["cannot describe table t"]
        assert pacing.totals()[1] == {"": 2_000}


def test_a_broker_that_ended_is_started_again_at_its_port() -> None:
    with paced(lambda: [limit(2_000)], PLACE, slots=4) as pacing:
        first = pacing.broker
        assert first is not None
        first.close()
        pacing.look()
        assert pacing.broker is not None
        assert (pacing.broker is first, pacing.broker.port) == (False, first.port)
        assert pacing.broker.is_serving


def test_the_end_does_not_wait_for_a_look_and_a_late_one_changes_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The table may be described for as long as botocore tries."""
    monkeypatch.setattr("loader.apply.pacing.LOOK_SECONDS", 0.0)
    monkeypatch.setattr("loader.apply.pacing.END_SECONDS", 0.0)
    looking, answer = threading.Event(), threading.Event()
    watches: list[threading.Thread] = []

    def rates() -> list[AllowedRate]:
        if threading.current_thread().name != "capacity watch":
            return [limit(2_000)]
        watches.append(threading.current_thread())
        looking.set()
        assert answer.wait(60)
        return [limit(4_000)]

    with paced(rates, PLACE, slots=4) as pacing:
        assert looking.wait(60)
    answer.set()
    watches[0].join(60)
    pacing.look()  # as one that begins late

    assert pacing.broker is not None
    assert (pacing.broker.is_serving, pacing.totals()[1]) == (False, {"": 2_000})
    assert [rates for _, rates in pacing.allowed] == [{"": 2_000}]


def test_a_driver_that_cannot_listen_is_refused_before_the_first_write() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with (
            pytest.raises(Refused) as refused,
            paced(lambda: [limit(1)], Place("127.0.0.1", "127.0.0.1", port), slots=1),
        ):
            pass
    assert str(refused.value) == (
        f"cannot listen for tasks at 127.0.0.1, port {port}: [Errno 98] Address already in use "
        f"(while attempting to bind on address ('127.0.0.1', {port})). Choose a free port with "
        "--pace-port, and an address of the driver in spark.driver.bindAddress"
    )


def test_the_setting_in_the_folder_of_the_run_takes_precedence(tmp_path: Path) -> None:
    folder = Location(str(tmp_path))
    assert current_setting(folder, DEFAULT) == DEFAULT
    folder.write(PACE_FILE, b"500\n")
    assert str(current_setting(folder, DEFAULT)) == "500"
    folder.write(PACE_FILE, b"fast")
    with pytest.raises(Refused) as refused:
        current_setting(folder, DEFAULT)
    assert str(refused.value) == (
        f"{tmp_path}/pace.txt must be units per second as 2000, a share as 50%, or max, got fast: "
        "correct it; the limit stays as it was"
    )


@pytest.mark.parametrize(
    ("properties", "place"),
    [
        ({}, Place("127.0.0.1", "127.0.0.1", 7)),
        ({"spark.driver.host": "10.0.0.7"}, Place("10.0.0.7", "10.0.0.7", 7)),
        (
            {"spark.driver.host": "driver.svc", "spark.driver.bindAddress": "0.0.0.0"},  # noqa: S104
            Place("driver.svc", "0.0.0.0", 7),  # noqa: S104
        ),
        ({"spark.driver.host": "[fd00::7]"}, Place("fd00::7", "fd00::7", 7)),
    ],
)
def test_tasks_reach_the_broker_where_they_reach_the_driver(
    properties: dict[str, str], place: Place
) -> None:
    assert driver_place(properties, 7) == place
