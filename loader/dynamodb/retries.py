"""When to try again and when to give up: full jitter, bounded in time.

Sleep between 0 and an exponentially growing cap, as AWS advises:
https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
"""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field

FIRST_SECONDS = 0.05
MOST_SECONDS = 5.0


def full_jitter(attempt: int, uniform: Callable[[float, float], float] = random.uniform) -> float:
    """Seconds to wait before attempt 1, 2, …: anything up to a cap that doubles."""
    return uniform(0.0, min(MOST_SECONDS, FIRST_SECONDS * 2 ** min(attempt, 20)))


@dataclass
class RetryBudget:
    """How long the table may acknowledge nothing, shared by all that write to it in one process.

    The clock starts with the first failure and stops with any success. So a batch that meets a
    busy table waits as long as others get through, and a dead endpoint is waited for once, not
    once a batch.
    """

    seconds: float
    clock: Callable[[], float] = time.monotonic
    failing_since: float | None = field(default=None, init=False)

    def succeeded(self) -> None:
        self.failing_since = None

    def failed(self) -> bool:
        """Note a failure; True when it is time to give up."""
        now = self.clock()
        if self.failing_since is None:
            self.failing_since = now
        return now - self.failing_since >= self.seconds
