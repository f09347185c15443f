"""What a task reports to the driver about its requests, and the units that it gets.

A task counts in *estimated* units, the table's write units by the sizes of the items, because it
must know them before it sends. The driver converts them: DynamoDB's answers show what the table
and each global index consumed for them.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

# The name of the table among its global indexes, whose names have three characters or more.
TABLE = ""
# A task may spend granted units for so long; afterwards it gives them back.
VALID_SECONDS = 1.0
# A task reports answers after so long, even while it waits for units.
REPORT_SECONDS = 0.2
# The driver gives a task that waits for units a sign of life this often.
ALIVE_SECONDS = 2.0


# How the reasons end that name partitions, of one key or of all of them.
KEY_RANGE = "KeyRangeThroughputExceeded"


class Throttle(NamedTuple):
    """Why DynamoDB throttled a request; the reason is one of `ThrottlingReason`, or empty.

    https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_ThrottlingReason.html
    The resource is `TABLE`, the name of a global index, or None if the answer names none.
    `hot_key`: one partition key was throttled, and not all that the resource accepts is used.
    """

    resource: str | None = None
    reason: str = ""
    hot_key: bool = False


class Spent(NamedTuple):
    """What an answered request of `charged` units spent, in the terms of `Report`."""

    charged: float
    written: float
    consumed: Mapping[str, float]
    rejected: float = 0.0
    throttles: Iterable[Throttle] = ()


@dataclass(frozen=True)
class Report:
    """Totals of one task process since its start, so that a report may be repeated.

    `settled` are the estimated units of the requests that were answered: `written` those of the
    changes that DynamoDB acknowledged, `rejected` those that it throttled for lack of capacity,
    or may have written without an answer. `returned` were granted and not spent in time.
    `consumed` has capacity units by resource: the table (`TABLE`) or the name of a global index.
    `throttles` counts requests.
    """

    settled: float = 0.0
    written: float = 0.0
    rejected: float = 0.0
    returned: float = 0.0
    requests: int = 0
    consumed: Mapping[str, float] = field(default_factory=dict)
    throttles: Mapping[Throttle, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Ask:
    """A request for units: at least `least`, at most `most`; 0 for a report without one.

    A later ask of the same `number` repeats it with a newer report.
    """

    report: Report
    number: int = 0
    least: float = 0.0
    most: float = 0.0


@dataclass(frozen=True)
class Grant:
    """Estimated units to spend, and the most that one request should take. 0: still waiting."""

    units: float = 0.0
    request_units: float = float("inf")
