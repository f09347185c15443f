"""The line that a terminal shows while an apply writes: how fast, of what is allowed, how long yet.

The facts come from the driver's broker, to which tasks report several times per second. Without a
limit there is none: then the line counts the slices that have ended.
"""

import math
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from loader.pace.allowance import Totals
from loader.pace.report import TABLE
from loader.printable import printable
from loader.spark.progress import Step

# The speeds are those of this time: a changed limit shows soon, and a single answer does not.
WINDOW_SECONDS = 5.0


@dataclass
class LiveLine:
    """Shows how far the slices are, which have `write_units`, on a step that counts changes.

    `totals` are what tasks have reported and the units per second that are allowed now; `problems`
    are printed once, when they appear.
    """

    step: Step
    slices: int
    write_units: int
    totals: Callable[[], tuple[Totals, Mapping[str, float]]] = lambda: (Totals(), {})
    problems: Sequence[str] = ()
    clock: Callable[[], float] = time.monotonic
    _samples: deque[tuple[float, Totals]] = field(default_factory=deque, init=False)
    _printed: int = field(default=0, init=False)
    _limits: list[Mapping[str, float]] = field(default_factory=list, init=False)

    def __post_init__(self) -> None:
        self._began = self.clock()
        self._samples.append((self._began, Totals()))

    def show(self, slices: int) -> None:
        """Redraw the line, when so many slices have ended."""
        for problem in self.problems[self._printed :]:
            self.step.note(f"warning: {printable(problem)}")
            self._printed += 1
        totals, allowed = self.totals()
        if allowed not in self._limits[-1:]:
            self._limits.append(allowed)
        # The share of the write units that is written is about that of the changes.
        share = max(self._share(totals), slices / self.slices if self.slices else 1.0)
        self.step.show(int(self.step.total * share), self._facts(totals, allowed))

    def average(self) -> list[str]:
        """The units per second since the start, and the limit unless it changed meanwhile."""
        totals, allowed = self.totals()
        if not allowed:
            return []
        changed = len(self._limits) > 1
        return [_capacity(totals.consumed, self.clock() - self._began, allowed, not changed)]

    def _share(self, totals: Totals) -> float:
        return min(1.0, totals.written / self.write_units) if self.write_units else 1.0

    def _facts(self, totals: Totals, allowed: Mapping[str, float]) -> list[str]:
        """The facts, and shorter versions of them; none without a limit."""
        if not allowed:
            return []
        now, samples = self.clock(), self._samples
        if not totals.requests:  # tasks are starting
            samples.clear()
            samples.append((now, totals))
        while len(samples) > 1 and samples[1][0] <= now - WINDOW_SECONDS:
            samples.popleft()
        since, before = samples[0]
        samples.append((now, totals))
        seconds = now - since
        consumed = {
            name: units - before.consumed.get(name, 0.0) for name, units in totals.consumed.items()
        }
        written = (totals.written - before.written) / seconds if seconds > 0 else 0.0
        changes = written * self.step.total / self.write_units if self.write_units else 0.0
        speed = f"{tidy(changes)}/s"
        capacity = _capacity(consumed, seconds, allowed)
        throttles = totals.throttles.total()  # a request with two reasons counts twice
        throttled = f"{throttles:,} throttled"
        rest = max(0.0, self.write_units - totals.written)
        left = [f"{duration(rest / written)} left"] if written else []
        shorter = [capacity, throttled] if throttles else [speed, capacity]
        versions = [[speed, capacity, throttled], shorter, [capacity], []]
        return [" · ".join([*facts, *left]) for facts in versions]


def _capacity(
    consumed: Mapping[str, float],
    seconds: float,
    allowed: Mapping[str, float],
    with_limit: bool = True,
) -> str:
    """The units per second of the table, or of an index that uses more of what it may use.

    A second may begin with a request of its units, so a shorter time counts as one.
    """

    def used(name: str) -> float:
        return consumed.get(name, 0.0) / max(1.0, seconds)

    tightest = max(
        sorted(allowed, key=lambda name: name != TABLE),
        key=lambda name: round(used(name) / allowed[name], 1),
    )
    of_index = f" of index {tightest}" if tightest != TABLE else ""
    limit = f" of {tidy(allowed[tightest])}" if with_limit else ""
    return f"{tidy(used(tightest))}{limit} WCU/s{of_index}"


def tidy(value: float) -> str:
    """Three digits: more of them only flicker."""
    if value <= 0:
        return "0"
    decimals = 2 - math.floor(math.log10(value))
    rounded = round(value, decimals)
    return f"{rounded:,.0f}" if rounded >= 10 else f"{rounded:,.1f}".removesuffix(".0")


def duration(seconds: float) -> str:
    """12 s, 5 min, 2 h 05 min; never less than it is."""
    if seconds <= 99:
        return f"{math.ceil(seconds)} s"
    minutes = math.ceil(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60:,} h {minutes % 60:02d} min"
