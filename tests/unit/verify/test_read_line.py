"""What a terminal shows while a table is read."""

import io
from collections import Counter
from collections.abc import Mapping

import pytest

from loader.apply.pacing import Pacing
from loader.pace.allowance import Totals
from loader.pace.report import Throttle
from loader.spark.progress import Step
from loader.verify.read_line import ReadLine


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Limits:
    def __init__(self) -> None:
        self.problems: list[str] = []


class Scan:
    """A scan of 30 segments."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, **allowed: float) -> None:
        self.stream, self.now, self.limits = Terminal(), 0.0, Limits()
        self.reported, self.allowed = Totals(), allowed
        pacing = Pacing(tuple)
        monkeypatch.setattr(pacing, "totals", self._totals)
        step = Step("scan", 30, "segments", self.stream)
        self.line = ReadLine(step, pacing, self.limits, lambda: self.now)

    def _totals(self) -> tuple[Totals, Mapping[str, float]]:
        limit = {"": self.allowed["table"]} if self.allowed else {}
        return self.reported.copy(), limit

    def report(self, now: float, read: float, throttled: int = 0, segments: int = 0) -> str:
        """The line at this time, when tasks have reported so much."""
        self.now = now
        throttles = Counter({Throttle(): throttled})
        self.reported = Totals({"": read}, int(read), throttles, read)
        self.line.show(segments)
        line = self.stream.getvalue().rsplit("\r")[-1].removesuffix("\x1b[K")
        return line.lstrip("scan ━╸")


def test_the_line_shows_segments_units_per_second_of_those_allowed_and_throttles(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    scan = Scan(monkeypatch, table=400.0)

    assert [
        scan.report(3.0, 0),
        scan.report(4.0, 397, segments=2),
        scan.report(5.0, 794, throttled=3, segments=4),
    ] == [
        "0/30 segments · 0 of 400 RCU/s · 0 throttled",
        "2/30 segments · 397 of 400 RCU/s · 0 throttled",
        "4/30 segments · 397 of 400 RCU/s · 3 throttled",
    ]


def test_without_a_limit_the_line_counts_the_segments(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Scan(monkeypatch).report(1.0, 100, segments=7) == "7/30 segments"


def test_a_problem_of_the_limit_is_printed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    scan = Scan(monkeypatch, table=400.0)
    scan.limits.problems.append("cannot describe table users")
    scan.report(1.0, 100)
    scan.report(2.0, 200)

    assert scan.stream.getvalue().count("\rwarning: cannot describe table users\x1b[K\n") == 1
