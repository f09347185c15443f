"""How long the steps of a process take."""

import time
from collections.abc import Callable


class Stopwatch:
    """Wall seconds of each step by name; a lap ends one step and begins the next."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        self.seconds: dict[str, float] = {}
        self.since = clock()

    def lap(self, step: str) -> None:
        """Add the time since the last lap to the step."""
        now = self.clock()
        self.seconds[step] = self.seconds.get(step, 0.0) + now - self.since
        self.since = now
