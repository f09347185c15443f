"""How long the steps of a process take."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass(frozen=True)
class Step:
    """A step that has ended, of one export or of all.

    `began` is in seconds since 1970; `error` is the class of what broke it off.
    """

    name: str
    export: str
    began: float
    seconds: float
    error: str = ""


class Stopwatch:
    """Wall seconds of each phase by name, and the steps in the order of their ends."""

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self.clock, self.wall_clock = clock, wall_clock
        self.seconds: dict[str, float] = {}
        self.steps: list[Step] = []
        self.begun, self.began = clock(), wall_clock()
        self.since = self.begun

    def lap(self, phase: str) -> None:
        """End a phase: add the time since the last lap to it."""
        now = self.clock()
        self.seconds[phase] = self.seconds.get(phase, 0.0) + now - self.since
        self.since = now

    @contextmanager
    def step(self, name: str, export: str = "") -> Iterator[None]:
        """Keep the block as a step, also if it breaks off."""
        since, began, error = self.clock(), self.wall_clock(), ""
        try:
            yield
        except BaseException as broken:
            error = type(broken).__name__
            raise
        finally:
            self.steps.append(Step(name, export, began, self.clock() - since, error))

    @property
    def elapsed(self) -> float:
        """Seconds since the start."""
        return self.clock() - self.begun
