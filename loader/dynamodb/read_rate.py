"""How fast a table may be read: a share of its read capacity, which all tasks share."""

from math import inf, isinf

from loader.capacity_setting import CapacitySetting
from loader.dynamodb.allowed_rates import AllowedRate, read_rates
from loader.dynamodb.answers import Answer
from loader.dynamodb.description import TableDescription
from loader.pace.client import Client
from loader.pace.report import TABLE, Spent

# A consistent read of 1 MB, the most that a page of a scan has, takes 256 read units.
PAGE_UNITS = 256


def read_limit(setting: CapacitySetting, table: TableDescription) -> tuple[float | None, str]:
    """Read units per second, None without a limit, and the reason.

    `max` is no limit: a scan that is throttled waits and reads the page again.
    """
    [allowed] = limited_reads(setting, table)
    return allowed.rate, allowed.reason


def limited_reads(setting: CapacitySetting, table: TableDescription) -> list[AllowedRate]:
    """The limit of `read_limit`, for the tasks to share."""
    if setting == CapacitySetting():
        return [AllowedRate(TABLE, None, inf, f"as set: {setting}")]
    return read_rates(setting, table)


def limit_text(rate: float | None, why: str) -> str:
    """`at most 150 per second (50% of the 300 that are provisioned)`."""
    return f"no limit ({why})" if rate is None else f"at most {rate:,.0f} per second ({why})"


class ReadPace:
    """The pace of a task's reads: the driver gives out the units. Without a client: no limit.

    DynamoDB reports what a read consumed only in its answer. So a read asks for the units of the
    one before, at first for `share`, and the driver charges the difference.
    """

    def __init__(self, client: Client | None = None, share: float = inf) -> None:
        self._client, self._share = client, share
        self._expected = min(share, PAGE_UNITS)

    @property
    def page_units(self) -> float:
        """The units that one read should take, so that the reads of all tasks are no bursts."""
        if self._client is None or isinf(self._client.request_units):
            return self._share
        return self._client.request_units

    @property
    def fallback(self) -> str | None:
        """Why the task cannot share the limit with the others, or None."""
        return self._client.fallback if self._client else None

    def stopped(self) -> str | None:
        """Why the task may read nothing more, or None."""
        return self._client.stopped() if self._client else None

    def wait(self) -> float:
        """Spend the units of a read: 0, or the seconds after which to call again."""
        if self._client is None:
            return 0.0
        return self._client.wait(self._expected)

    def answered(self, answer: Answer) -> None:
        """Enter the answer to a read."""
        if self._client is None:
            return
        lost = self._expected if answer.failure else 0.0
        units = answer.consumed
        throttles = answer.all_throttles
        self._client.answered(Spent(self._expected, units, {TABLE: units}, lost, throttles))
        if not answer.failure:
            self._expected = max(1.0, units)

    def finish(self) -> None:
        """Give back the units, at the end of a task."""
        if self._client:
            self._client.finish()
