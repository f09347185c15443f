from math import inf

import pytest

from loader.capacity_setting import capacity_setting
from loader.dynamodb.description import TableDescription, Throughput
from loader.dynamodb.read_rate import Pace, limit_text, read_limit


class Time:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.now = 0.0

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.mark.parametrize(
    ("setting", "on_demand", "reads", "expected", "text"),
    [
        ("50%", False, Throughput(provisioned=300), (150, "50% of the 300 that are provisioned"),
         "at most 150 per second (50% of the 300 that are provisioned)"),
        ("500", True, Throughput(warm=12_000), (500, "as set: 500"),
         "at most 500 per second (as set: 500)"),
        ("500", True, Throughput(warm=12_000, most=400), (400, "which are its maximum on demand"),
         "at most 400 per second (which are its maximum on demand)"),
        ("50%", True, Throughput(), (None, "its capacity is unknown, of which 50% is allowed"),
         "no limit (its capacity is unknown, of which 50% is allowed)"),
        ("max", False, Throughput(provisioned=300), (None, "as set: max"),
         "no limit (as set: max)"),
    ],
)  # fmt: skip
def test_the_limit_of_reads_follows_from_the_setting_and_the_table(
    setting: str,
    on_demand: bool,
    reads: Throughput,
    expected: tuple[float | None, str],
    text: str,
) -> None:
    table = TableDescription("items", (("k", "S"),), "ACTIVE", on_demand, reads=reads)

    assert (read_limit(capacity_setting(setting), table), limit_text(*expected)) == (expected, text)


def test_reads_without_a_limit_do_not_wait() -> None:
    time = Time()
    pace = Pace(inf, time.clock, time.sleep)
    for _ in range(2):
        pace.wait()
        pace.consumed(1e9)

    assert time.now == 0.0


def test_requests_wait_until_the_rate_has_given_what_was_consumed() -> None:
    time = Time()
    pace = Pace(10, time.clock, time.sleep)
    sent = []
    for units in (5, 20, 0.5, 1):
        pace.wait()
        sent.append(time.now)
        pace.consumed(units)

    assert sent == [0.0, 0.5, 2.5, 2.55]


def test_time_in_which_nothing_was_sent_is_not_made_up_for() -> None:
    time = Time()
    pace = Pace(10, time.clock, time.sleep)
    time.now = 100.0
    sent = []
    for _ in range(3):
        pace.wait()
        sent.append(time.now)
        pace.consumed(10)

    assert sent == [100.0, 101.0, 102.0]
