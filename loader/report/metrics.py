"""What a report shows beside the sums: partitions, queries, and the writing over time."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from loader.plan.result import Plan
from loader.warehouse.read import ranges

POINTS = 120  # at most so many on the time axis: what a screen shows, and a small file
# What `loader plan` finds out beside the counts; shown where a plan has it.
PLAN_FACTS = ("estimate", "dbt_gate")


@dataclass
class Partition:
    """One partition of a plan; `partition` is None for rows whose partition column is NULL.

    Rows without a key may have a partition that no query is for; `query` is None then.

    `bytes` are those of its changes as DynamoDB counts items. `seconds` is from its first rows in
    Python to its file being written, without the query's own time.
    """

    partition: int | None
    query: int | None
    rows: int = 0
    items: int = 0
    bytes: int = 0
    write_units: int = 0
    seconds: float = 0.0


@dataclass
class Query:
    """One query of a plan: its partitions, and what its task waited for the first rows.

    Spark sorts the rows of a query before it gives the first, so the wait has the whole query.
    """

    query: int
    first_partition: int
    last_partition: int
    rows: int = 0
    wait_seconds: float = 0.0
    seconds: float = 0.0


@dataclass
class Point:
    """What DynamoDB did in `seconds_per_point` seconds from `second` after the apply began."""

    second: int
    items: int = 0
    write_units: float = 0.0
    throttled: int = 0


@dataclass
class OverTime:
    """The apply over time, without gaps."""

    seconds_per_point: int = 1
    points: list[Point] = field(default_factory=list)


def partitions(plan: Plan) -> list[Partition]:
    """What was read of each partition, in order; those without a row are left out."""
    found: dict[int | None, Partition] = {}
    for account in plan.partition_results:
        number = account.partition
        one = found.setdefault(number, Partition(number, _query(plan, number)))
        one.rows += account.rows
        one.items += account.items
        one.seconds = round(one.seconds + account.seconds, 3)
        if account.part:
            one.bytes += account.part.size
            one.write_units += account.part.write_units
    return sorted(found.values(), key=lambda one: -1 if one.partition is None else one.partition)


def queries(plan: Plan) -> list[Query]:
    """What each query gave, in order; those without a row are left out."""
    read = ranges(plan.partitions, plan.queries)
    found: dict[int, Query] = {}
    for account in plan.partition_results:
        number = _query(plan, account.partition)
        if number is None:
            continue
        ids = read.ids(number)
        query = found.setdefault(number, Query(number, ids[0], ids[-1]))
        query.rows += account.rows
        query.wait_seconds = round(query.wait_seconds + account.wait_seconds, 3)
        query.seconds = round(query.seconds + account.wait_seconds + account.seconds, 3)
    return [query for _, query in sorted(found.items())]


def _query(plan: Plan, partition: int | None) -> int | None:
    """The query that read a partition; None for a row without a key in none of the partitions."""
    if partition is None or not 0 <= partition < plan.partitions:
        return None
    return partition // ranges(plan.partitions, plan.queries).stride


def over_time(
    slices: Iterable[Mapping[int, tuple[int, float, int]]], began: float, most: int = POINTS
) -> OverTime:
    """Merge what the slices did in each second into at most `most` points, gaps included.

    `began` is in seconds since 1970 by the driver's clock. A second before it, of an executor
    whose clock is behind, counts as the first.
    """
    slices = list(slices)
    last = max((second for one in slices for second in one), default=None)
    if last is None:
        return OverTime()
    length = max(0, last - int(began)) + 1
    width = -(-length // most)
    points = [Point(number * width) for number in range(-(-length // width))]
    for one in slices:
        for second, (items, units, throttled) in one.items():
            point = points[max(0, second - int(began)) // width]
            point.items += items
            point.write_units = round(point.write_units + units, 3)
            point.throttled += throttled
    return OverTime(width, points)


def plan_facts(plan: Plan) -> dict[str, Any]:
    """What a plan found out beside its counts, as JSON has it."""
    fields = asdict(plan)
    return {name: fields[name] for name in PLAN_FACTS if fields.get(name) is not None}
