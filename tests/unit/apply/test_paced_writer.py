"""Writing a slice at a pace."""

from dataclasses import dataclass, field

from loader.dynamodb.answers import Answer, FailureKind
from loader.pace.report import TABLE, Spent, Throttle
from loader.storage.slice_outcome import NotSent
from tests.support.scripted_table import INVALID, TRANSIENT, Table, change, left


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
