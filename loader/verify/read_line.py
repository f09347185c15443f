"""The line that a terminal shows while a table is read: how fast, of what is allowed."""

import time
from collections.abc import Callable, Sequence
from typing import Protocol

from loader.apply.pacing import Pacing
from loader.pace.speed import Window, capacity_text, used_since
from loader.spark.progress import Step

UNIT = "RCU"


class HasProblems(Protocol):
    @property
    def problems(self) -> Sequence[str]: ...


class ReadLine:
    """Shows how many tasks of a step have ended; prints each problem of the limit once."""

    def __init__(
        self,
        step: Step,
        pacing: Pacing,
        limits: HasProblems,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._step, self._pacing, self._limits, self._clock = step, pacing, limits, clock
        self._window = Window(clock())

    def show(self, tasks: int) -> None:
        """Redraw the line, when so many tasks have ended."""
        for problem in [*self._pacing.problems, *self._limits.problems]:
            self._step.warn(problem)
        self._step.show(tasks, self._facts())

    def _facts(self) -> list[str]:
        """The facts, and a shorter version of them; none without a limit."""
        totals, allowed = self._pacing.totals()
        if not allowed:
            return []
        seconds, before = self._window.add(self._clock(), totals)
        capacity = capacity_text(used_since(before, totals), seconds, allowed, UNIT)
        return [f"{capacity} · {totals.throttles.total():,} throttled", capacity, ""]
