"""Figures of a report in addition to its totals: partitions, queries, writing over time."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Annotated, Any

from loader.pace.report import TABLE
from loader.plan.result import Plan
from loader.report.field_annotations import Amount, Count, Keywords, doc
from loader.storage.slice_outcome import SliceOutcome
from loader.warehouse.ranges import ranges

POINTS = 120  # at most, so that the chart fits a screen and the file stays small
MOST_POINTS = Keywords(maxItems=POINTS)
# (seconds since 1970, write units per second by resource) of each change of the limits.
Allowed = Sequence[tuple[float, Mapping[str, float]]]
PLAN_FACTS = ("estimate", "dbt_gate")


@dataclass
class Partition:
    """One partition of a plan."""

    partition: Annotated[int | None, doc("Partition; null for rows whose partition is NULL.")]
    query: Annotated[Count | None, doc("Query that read it; null if no query did.")]
    rows: Annotated[Count, doc("Rows of the partition.")] = 0
    items: Annotated[Count, doc("Items of the partition, rejected ones included.")] = 0
    bytes: Annotated[Count, doc("Size of its puts, as DynamoDB counts it.")] = 0
    write_units: Annotated[Count, doc("Write units of its puts.")] = 0
    seconds: Annotated[Amount, doc("From its first row in Python to its file, in seconds.")] = 0.0


@dataclass
class Query:
    """One query of a plan. Spark sorts all its rows before it passes on the first."""

    query: Annotated[Count, doc("Number of the query.")]
    first_partition: Annotated[Count, doc("First partition that it read.")]
    last_partition: Annotated[Count, doc("Last partition that it read.")]
    rows: Annotated[Count, doc("Rows of the query.")] = 0
    wait_seconds: Annotated[Amount, doc("Until its first row: the query, and Spark's sort.")] = 0.0
    seconds: Annotated[Amount, doc("The wait, and the seconds of its partitions.")] = 0.0


@dataclass
class Point:
    """The answers of DynamoDB in one interval of the apply."""

    second: Annotated[Count, doc("Start of the point, in seconds after `apply_began`.")]
    items: Annotated[Count, doc("Items that DynamoDB acknowledged.")] = 0
    write_units: Annotated[Amount, doc("Write units that DynamoDB reported.")] = 0.0
    throttled: Annotated[Count, doc("Requests that were throttled.")] = 0


@dataclass
class Limit:
    """The table or a global index with a limit of its own; a number per point."""

    index: Annotated[str | None, doc("Global index; null for the table.")]
    write_units: Annotated[list[Amount], MOST_POINTS, doc("Write units per point.")]
    allowed: Annotated[
        list[Amount | None],
        MOST_POINTS,
        doc("Write units per second that were allowed, the mean of the point; or null."),
    ]


@dataclass
class OverTime:
    """The apply over time, without gaps."""

    seconds_per_point: Annotated[int, Keywords(minimum=1), doc("Width of a point in seconds.")] = 1
    points: Annotated[list[Point], MOST_POINTS, doc("At most 120 points.")] = field(
        default_factory=list
    )
    limits: Annotated[list[Limit], doc("The table and the indexes that had a limit.")] = field(
        default_factory=list
    )


def partitions(plan: Plan) -> list[Partition]:
    """The partitions that have rows, in order."""
    by_number: dict[int | None, Partition] = {}
    for result in plan.partition_results:
        number = result.partition
        partition = by_number.setdefault(number, Partition(number, _query(plan, number)))
        partition.rows += result.rows
        partition.items += result.items
        partition.seconds = round(partition.seconds + result.seconds, 3)
        if result.part:
            partition.bytes += result.part.size
            partition.write_units += result.part.write_units
    return [by_number[n] for n in sorted(by_number, key=lambda n: -1 if n is None else n)]


def queries(plan: Plan) -> list[Query]:
    """The queries that have rows, in order."""
    read = ranges(plan.partitions, plan.queries)
    by_number: dict[int, Query] = {}
    for result in plan.partition_results:
        number = _query(plan, result.partition)
        if number is None:
            continue
        ids = read.ids(number)
        query = by_number.setdefault(number, Query(number, ids[0], ids[-1]))
        query.rows += result.rows
        query.wait_seconds = round(query.wait_seconds + result.wait_seconds, 3)
        query.seconds = round(query.seconds + result.wait_seconds + result.seconds, 3)
    return [query for _, query in sorted(by_number.items())]


def _query(plan: Plan, partition: int | None) -> int | None:
    """The query that read a partition; None for a number that is not a partition."""
    if partition is None or not 0 <= partition < plan.partitions:
        return None
    return partition // ranges(plan.partitions, plan.queries).stride


def apply_over_time(outcomes: Sequence[SliceOutcome], began: float, allowed: Allowed) -> OverTime:
    """The points of all slices, with the limits while the last apply wrote."""
    merged = over_time([outcome.by_second for outcome in outcomes], began)
    start, width, count = int(began), merged.seconds_per_point, len(merged.points)
    names = sorted({name for _, rates in allowed for name in rates}) if count else []
    for name in names:
        units = [0.0] * count
        for outcome in outcomes:
            for second, consumed in outcome.units_by_second.items():
                units[max(0, second - start) // width] += consumed.get(name, 0.0)
        means = _means(allowed, name, start, width, count)
        units = [round(number, 3) for number in units]
        merged.limits.append(Limit(None if name == TABLE else name, units, means))
    return merged


def _means(allowed: Allowed, name: str, start: int, width: int, count: int) -> list[float | None]:
    """The mean of what the resource was allowed in each point; None before the first limit."""
    end = start + width * count
    units, seconds = [0.0] * count, [0.0] * count
    for (since, rates), until in zip(allowed, [*(at for at, _ in allowed[1:]), end], strict=True):
        rate, time, last = rates.get(name), max(since, float(start)), min(until, end)
        while rate is not None and time < last:
            point = int((time - start) // width)
            stop = min(last, start + (point + 1) * width)
            units[point] += rate * (stop - time)
            seconds[point] += stop - time
            time = stop
    return [round(u / s, 3) if s else None for u, s in zip(units, seconds, strict=True)]


def over_time(
    slices: Iterable[Mapping[int, tuple[int, float, int]]], began: float, most: int = POINTS
) -> OverTime:
    """Merge the seconds of all slices into at most `most` points, gaps included.

    `began` is in seconds since 1970 by the driver's clock. An earlier second, from an executor
    whose clock is behind, counts as the first.
    """
    slices = list(slices)
    last = max((second for seconds in slices for second in seconds), default=None)
    if last is None:
        return OverTime()
    length = max(0, last - int(began)) + 1
    width = -(-length // most)
    points = [Point(number * width) for number in range(-(-length // width))]
    for seconds in slices:
        for second, (items, units, throttled) in seconds.items():
            point = points[max(0, second - int(began)) // width]
            point.items += items
            point.write_units = round(point.write_units + units, 3)
            point.throttled += throttled
    return OverTime(width, points)


def plan_facts(plan: Plan) -> dict[str, Any]:
    """The plan's estimate and dbt gate, if it has them, as JSON objects."""
    facts = {name: getattr(plan, name) for name in PLAN_FACTS}
    return {name: asdict(fact) for name, fact in facts.items() if fact is not None}
