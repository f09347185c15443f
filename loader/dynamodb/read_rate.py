"""How fast a table may be read: a share of its read capacity, kept by each task."""

import time
from collections.abc import Callable

from loader.capacity_setting import CapacitySetting
from loader.dynamodb.allowed_rates import read_rates
from loader.dynamodb.description import TableDescription


def read_limit(setting: CapacitySetting, table: TableDescription) -> tuple[float | None, str]:
    """Read units per second, None without a limit, and the reason.

    `max` is no limit: a scan that is throttled waits and reads the page again.
    """
    if setting == CapacitySetting():
        return None, f"as set: {setting}"
    [allowed] = read_rates(setting, table)
    return allowed.rate, allowed.reason


def limit_text(rate: float | None, why: str) -> str:
    """`at most 150 per second (50% of the 300 that are provisioned)`."""
    return f"no limit ({why})" if rate is None else f"at most {rate:,.0f} per second ({why})"


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
