"""What a terminal shows while an apply writes."""

import io
from collections import Counter
from collections.abc import Mapping

import pytest

from loader.apply.live_line import LiveLine
from loader.pace.allowance import Totals
from loader.pace.report import Throttle
from loader.pace.speed import duration, tidy
from loader.spark.progress import Step


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Apply:
    """An apply of 1,000 changes, which have 4,000 write units, in 4 slices."""

    def __init__(self, **allowed: float) -> None:
        self.stream, self.now, self.problems = Terminal(), 0.0, list[str]()
        self.reported = Totals()
        self.allowed: Mapping[str, float] = {
            name.replace("table", ""): rate for name, rate in allowed.items()
        }
        self.line = LiveLine(
            Step("apply", 1_000, "changes", self.stream), 4, 4_000, self._totals,
            self.problems, lambda: self.now,
        )  # fmt: skip

    def _totals(self) -> tuple[Totals, Mapping[str, float]]:
        return self.reported.copy(), self.allowed

    def report(self, now: float, written: float, index: float = 0.0, throttled: int = 0) -> str:
        """The line at this time, when tasks have reported so much."""
        self.now = now
        throttles = Counter({Throttle(): throttled})
        self.reported = Totals({"": written, "by_item": index}, int(written), throttles, written)
        return self.shown(0)

    def shown(self, slices: int) -> str:
        self.line.show(slices)
        line = self.stream.getvalue().rsplit("\r")[-1].removesuffix("\x1b[K")
        return line.lstrip("aply ━╸")


def test_the_line_shows_changes_and_units_per_second_throttles_and_the_time_left() -> None:
    apply = Apply(table=400.0)

    lines = [
        apply.report(0.0, 0),
        apply.report(1.0, 397),
        apply.report(2.0, 794, throttled=3),
    ]

    assert lines == [
        "0/1,000 changes · 0/s · 0 of 400 WCU/s · 0 throttled",
        "99/1,000 changes · 99/s · 397 of 400 WCU/s · 0 throttled · 10 s left",
        "198/1,000 changes · 99/s · 397 of 400 WCU/s · 3 throttled · 9 s left",
    ]


def test_on_a_narrow_terminal_the_facts_that_matter_least_are_dropped() -> None:
    """A terminal that does not know its width counts as one of 80 columns."""
    quiet, throttled = Apply(table=2_000.0), Apply(table=2_000.0)
    for apply in (quiet, throttled):
        apply.line.step.total, apply.line.write_units = 100_000, 400_000

    assert quiet.report(20.0, 39_700) == (
        "9,925/100,000 changes · 496/s · 1,980 of 2,000 WCU/s · 4 min left"
    )
    assert throttled.report(20.0, 39_700, throttled=3) == (
        "9,925/100,000 changes · 1,980 of 2,000 WCU/s · 3 throttled · 4 min left"
    )


def test_the_time_in_which_tasks_start_does_not_count() -> None:
    apply = Apply(table=400.0)

    assert apply.report(3.0, 0).endswith(" · 0/s · 0 of 400 WCU/s · 0 throttled")
    assert apply.report(4.0, 397).endswith(" · 99/s · 397 of 400 WCU/s · 0 throttled · 10 s left")


def test_the_speeds_follow_a_changed_limit_within_seconds() -> None:
    apply = Apply(table=400.0)
    for second in range(1, 6):
        apply.report(float(second), 400.0 * second)
    apply.allowed = {"": 100.0}
    lines = [apply.report(5.0 + second, 2_000 + 100.0 * second) for second in range(1, 7)]

    assert lines[0].endswith("340 of 100 WCU/s · 0 throttled · 6 s left")
    assert lines[4].endswith("100 of 100 WCU/s · 0 throttled · 15 s left")


def test_the_tightest_resource_is_shown_and_the_table_if_they_are_alike() -> None:
    apply = Apply(table=400.0, by_item=100.0)

    assert " 200 of 400 WCU/s · " in apply.report(1.0, 200, index=51)
    assert " 100 of 100 WCU/s of index by_item · " in apply.report(2.0, 400, index=200)


def test_without_a_limit_the_line_counts_the_slices_that_have_ended() -> None:
    apply = Apply()

    assert apply.shown(1) == "250/1,000 changes"
    assert apply.line.average() == []


def test_tasks_at_a_fixed_share_report_nothing_but_their_slices_count() -> None:
    assert Apply(table=400.0).shown(3).startswith("750/1,000 changes")


def test_the_last_line_has_the_average_since_the_start() -> None:
    apply = Apply(table=400.0)
    apply.report(10.0, 3_800)

    assert apply.line.average() == ["380 of 400 WCU/s"]


def test_the_last_line_has_no_limit_if_it_changed() -> None:
    apply = Apply(table=400.0, by_item=400.0)
    apply.report(5.0, 100, index=1_900)
    apply.allowed = {"": 100.0, "by_item": 100.0}
    apply.report(10.0, 200, index=2_400)

    assert apply.line.average() == ["240 WCU/s of index by_item"]


def test_a_load_that_ends_at_once_does_not_seem_to_use_more_than_it_may() -> None:
    apply = Apply(table=40.0)
    apply.report(0.1, 6)

    assert apply.line.average() == ["6 of 40 WCU/s"]


def test_a_problem_of_the_limits_is_printed_once_when_it_appears() -> None:
    apply = Apply(table=400.0)
    apply.report(1.0, 10)
    apply.problems.append("pace.txt must be units per second, got \x1b[2J")
    apply.report(2.0, 20)
    apply.report(3.0, 30)

    assert (
        apply.stream.getvalue().count(
            "\rwarning: pace.txt must be units per second, got \\x1b[2J\x1b[K\n"
        )
        == 1
    )


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0, "0"), (0.04, "0"), (1.25, "1.2"), (3.0, "3"), (12.3, "12"), (1_943.2, "1,940"),
     (66_812.0, "66,800"), (999.6, "1,000")],
)  # fmt: skip
def test_a_speed_has_three_digits_at_most(value: float, text: str) -> None:
    assert tidy(value) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.0, "0 s"), (0.2, "1 s"), (99.0, "99 s"), (99.5, "2 min"), (5_999.0, "1 h 40 min"),
     (5_940.0, "99 min"), (90_000.0, "25 h 00 min")],
)  # fmt: skip
def test_the_time_left_is_rounded_up(seconds: float, text: str) -> None:
    assert duration(seconds) == text
