import pytest

from loader.dynamodb.description import TableDescription, Throughput
from loader.dynamodb.read_rate import Pace, default_read_units


class Time:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.now = 0.0

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.mark.parametrize(
    ("on_demand", "reads", "expected"),
    [
        (False, Throughput(provisioned=100), (50, "half of the table's 100: provisioned")),
        (False, Throughput(), (0.5, "half of the table's 1: provisioned")),
        (
            True,
            Throughput(),
            (6_000, "half of the table's 12,000: the default of new on-demand tables"),
        ),
        (
            True,
            Throughput(warm=40_000),
            (20_000, "half of the table's 40,000: its warm throughput"),
        ),
        (
            True,
            Throughput(warm=40_000, most=500),
            (250, "half of the table's 500: its maximum on demand"),
        ),
    ],
)
def test_half_of_the_read_capacity_is_used_by_default(
    on_demand: bool, reads: Throughput, expected: tuple[float, str]
) -> None:
    table = TableDescription("items", (("k", "S"),), "ACTIVE", on_demand, reads=reads)

    assert default_read_units(table) == expected


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
