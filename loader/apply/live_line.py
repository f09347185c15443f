"""The line that a terminal shows while an apply writes: how fast, of what is allowed, how long yet.

The facts come from the driver's broker, to which tasks report several times per second. Without a
limit there is none: then the line counts the slices that have ended.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from loader.pace.allowance import Totals
from loader.pace.speed import Window, capacity_text, duration, tidy, used_since
from loader.spark.progress import Step

UNIT = "WCU"


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
    _limits: list[Mapping[str, float]] = field(default_factory=list, init=False)

    def __post_init__(self) -> None:
        self._window = Window(self.clock())

    def show(self, slices: int) -> None:
        """Redraw the line, when so many slices have ended."""
        for problem in self.problems:
            self.step.warn(problem)
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
        seconds = self.clock() - self._window.began
        return [capacity_text(totals.consumed, seconds, allowed, UNIT, not changed)]

    def _share(self, totals: Totals) -> float:
        return min(1.0, totals.written / self.write_units) if self.write_units else 1.0

    def _facts(self, totals: Totals, allowed: Mapping[str, float]) -> list[str]:
        """The facts, and shorter versions of them; none without a limit."""
        if not allowed:
            return []
        seconds, before = self._window.add(self.clock(), totals)
        written = (totals.written - before.written) / seconds if seconds > 0 else 0.0
        changes = written * self.step.total / self.write_units if self.write_units else 0.0
        speed = f"{tidy(changes)}/s"
        capacity = capacity_text(used_since(before, totals), seconds, allowed, UNIT)
        throttles = totals.throttles.total()  # a request with two reasons counts twice
        throttled = f"{throttles:,} throttled"
        rest = max(0.0, self.write_units - totals.written)
        left = [f"{duration(rest / written)} left"] if written else []
        shorter = [capacity, throttled] if throttles else [speed, capacity]
        versions = [[speed, capacity, throttled], shorter, [capacity], []]
        return [" · ".join([*facts, *left]) for facts in versions]
