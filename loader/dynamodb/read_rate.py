"""How fast a table may be read: a share of its read capacity, kept by each task."""

import time
from collections.abc import Callable

from loader.dynamodb.description import TableDescription
from loader.dynamodb.estimate import rate_of

# Read units per second that a new on-demand table accepts at once:
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/warm-throughput-scenarios.html
NEW_ON_DEMAND = 12_000
# The other half is for the applications that read the table meanwhile.
SHARE = 0.5


def default_read_units(table: TableDescription) -> tuple[float, str]:
    """Half of the table's read units per second, and where that number comes from."""
    rate, why = rate_of(table.reads, table.on_demand, NEW_ON_DEMAND)
    return rate * SHARE, f"half of the table's {rate:,}: {why}"


class Pace:
    """Keeps one task's requests below a rate of read units per second.

    DynamoDB reports what a request consumed only in its answer. So each answer moves the time of
    the next request, by the seconds in which the rate gives that many units.
    """

    def __init__(
        self,
        units_per_second: float,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._rate, self._clock, self._sleep = units_per_second, clock, sleep
        self._next = clock()

    @property
    def rate(self) -> float:
        return self._rate

    def wait(self) -> None:
        """Sleep until the next request may be sent."""
        if (seconds := self._next - self._clock()) > 0:
            self._sleep(seconds)

    def consumed(self, units: float) -> None:
        """Enter what a request consumed. Time in which nothing was sent is not made up for."""
        self._next = max(self._next, self._clock()) + units / self._rate
