"""How long the steps of a process take."""

import time
from collections.abc import Callable


class Stopwatch:
    """Wall seconds of each step by name."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        self.seconds: dict[str, float] = {}
        self.since = clock()

    def lap(self, step: str) -> None:
        """End a step: add the time since the last lap to it."""
        now = self.clock()
        self.seconds[step] = self.seconds.get(step, 0.0) + now - self.since
        self.since = now
