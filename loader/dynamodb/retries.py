"""Retries: exponential backoff with full jitter, bounded in time, as AWS recommends:
https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
"""

import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

FIRST_SECONDS = 0.05
MOST_SECONDS = 5.0


def full_jitter(retry: int, uniform: Callable[[float, float], float] = random.uniform) -> float:
    """Seconds to wait before retry 1, 2, …: random, up to a cap that doubles."""
    return uniform(0.0, min(MOST_SECONDS, FIRST_SECONDS * 2 ** min(retry, 20)))


@dataclass
class RetryBudget:
    """The time that a table may acknowledge nothing, shared by all slices of a worker process.

    The time starts with a failure and ends with any success. So a batch is retried while other
    batches succeed, and a dead endpoint costs this time once, not once per batch. Time in which
    the pace allows no request does not count: the table was not asked.
    """

    seconds: float
    clock: Callable[[], float] = time.monotonic
    failing_since: float | None = field(default=None, init=False)

    def succeeded(self) -> None:
        self.failing_since = None

    def failed(self) -> bool:
        """Record a failure; True if the time is used up."""
        now = self.clock()
        if self.failing_since is None:
            self.failing_since = now
        return now - self.failing_since >= self.seconds

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Do not count the time of the block."""
        began = self.clock()
        try:
            yield
        finally:
            if self.failing_since is not None:
                self.failing_since += self.clock() - began
