"""Writing a slice at a pace."""

from dataclasses import dataclass, field

import pytest

from loader.dynamodb.answers import Answer, FailureKind
from loader.dynamodb.retries import RetryBudget
from loader.pace.report import TABLE, Spent, Throttle
from loader.storage.slice_outcome import NotSent
from tests.support.scripted_table import INVALID, OK, THROTTLED, TRANSIENT, Table, change, left


@dataclass
class ScriptedPace:
    """Asks to wait for the seconds of `waits`, then for nothing."""

    waits: list[float] = field(default_factory=list)
    request_units: float = 1_000.0
    stop_after: int | None = None  # calls of `wait`
    asked: list[float] = field(default_factory=list)
    answers: list[Spent] = field(default_factory=list)

    def stopped(self) -> str | None:
        return (
            "lost" if self.stop_after is not None and len(self.asked) >= self.stop_after else None
        )

    def wait(self, units: float) -> float:
        self.asked.append(units)
        return self.waits.pop(0) if self.waits else 0.0

    def answered(self, spent: Spent) -> None:
        self.answers.append(spent._replace(throttles=list(spent.throttles)))


def test_a_request_waits_for_the_units_of_its_changes_and_reports_what_it_consumed() -> None:
    table = Table([Answer(consumed=50.0, units={TABLE: 30.0, "by_item": 20.0})])
    pace = ScriptedPace(waits=[0.25, 0.5])

    outcome = table.write([change(n)._replace(write_units=n) for n in range(1, 11)], pace=pace)

    [units] = outcome.units_by_second.values()
    assert units == {TABLE: 30.0, "by_item": 20.0}
    assert table.sleeps == [0.25, 0.5]
    assert pace.asked == [55, 55, 55]
    assert pace.answers == [(55, 55, {TABLE: 30.0, "by_item": 20.0}, 0, [])]


def test_unprocessed_changes_wait_for_their_units_again() -> None:
    table = Table([left(1)])
    pace = ScriptedPace()

    table.write([change(0), change(1)], pace=pace)

    assert pace.asked == [2, 1]
    assert pace.answers == [(2, 1, {}, 1, [Throttle()]), (1, 1, {}, 0, [])]


def test_what_may_have_been_written_is_not_given_back_and_what_is_refused_is() -> None:
    index = Throttle("by_item", "IndexWriteProvisionedThroughputExceeded")
    throttled = Answer(
        failure=FailureKind.THROTTLED, error="ThrottlingException", throttles=(index,)
    )
    table = Table([TRANSIENT, throttled, INVALID])
    pace = ScriptedPace()

    outcome = table.write([change(0)], seconds=10, pace=pace)

    assert pace.answers == [(1, 0, {}, 1, []), (1, 0, {}, 1, [index]), (1, 0, {}, 0, [])]
    assert outcome.throttles == {"by_item IndexWriteProvisionedThroughputExceeded": 1}


def test_a_batch_that_is_too_large_for_the_pace_is_halved() -> None:
    table = Table()
    pace = ScriptedPace(request_units=4.0)

    table.write([change(n)._replace(write_units=3) for n in range(4)], pace=pace)

    assert table.requests == [[0], [1], [2], [3]]
    assert pace.asked == [3, 3, 3, 3]


def test_a_slice_whose_pace_has_stopped_sends_nothing_more() -> None:
    table = Table()
    pace = ScriptedPace(waits=[0.1] * 9, stop_after=3)

    outcome = table.write([change(0), change(1)], pace=pace)

    assert table.requests == []
    assert outcome.not_sent == [NotSent(0, 2, "lost")]


@dataclass
class SlowPace(ScriptedPace):
    """Allows a request every 61 seconds, by the table's clock."""

    table: Table = field(default_factory=Table)
    due: float = 0.0

    def wait(self, units: float) -> float:
        if self.table.now < self.due:
            return self.due - self.table.now
        self.due = self.table.now + 61
        return 0.0


@pytest.mark.parametrize("requests", [1, 4])
def test_the_time_in_which_the_pace_allows_nothing_does_not_use_up_the_retry_budget(
    requests: int,
) -> None:
    table = Table([OK] * 4 + [THROTTLED] * 2)
    budget = RetryBudget(60, lambda: table.now)

    outcome = table.write(
        map(change, range(500)), requests=requests, pace=SlowPace(table=table), retry_budget=budget
    )

    assert (outcome.acknowledged, outcome.throttled, outcome.not_sent) == (500, 2, [])


@pytest.mark.parametrize("requests", [1, 4])
def test_a_table_that_always_throttles_is_given_up_at_a_slow_pace_too(requests: int) -> None:
    table = Table([OK] + [THROTTLED] * 10_000)
    budget = RetryBudget(60, lambda: table.now)

    outcome = table.write(
        map(change, range(500)), requests=requests, pace=SlowPace(table=table), retry_budget=budget
    )

    cause = "the table acknowledged nothing for 60 s (slow down)"
    assert outcome.not_sent == [NotSent(0, 475, cause)]
