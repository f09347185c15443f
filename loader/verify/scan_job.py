"""A Spark job that scans a table into files of keys and digests."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from loader import interruption
from loader.apply.pacing import Pacing, driver_place, paced
from loader.capacity_setting import DEFAULT, CapacitySetting
from loader.dynamodb.allowed_rates import AllowedRate
from loader.dynamodb.description import TableDescription
from loader.dynamodb.endpoint import Endpoint
from loader.dynamodb.read_rate import limited_reads, read_limit
from loader.dynamodb.scan import Segment
from loader.dynamodb.watched_table import WatchedTable
from loader.errors import ReadFailed, reason
from loader.settings import Settings
from loader.spark import failures, progress
from loader.spark.driver_conf import driver_conf
from loader.spark.progress import Step
from loader.spark.stall import StallWatch
from loader.storage.location import Location
from loader.storage.state_part import StatePart
from loader.verify.read_line import ReadLine
from loader.verify.scan_task import ScanTask, SegmentResult

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from pyspark.sql import SparkSession

# A segment that fails is read again as a whole, and its keys are in one file.
SEGMENT_BYTES = 256 << 20
SEGMENT_ITEMS = 1_000_000
# https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_Scan.html
MOST_SEGMENTS = 1_000_000


@dataclass(frozen=True)
class ScannedTable:
    """A table to scan. `attributes` are the export's, in the order of the item's JSON.

    `read_capacity` is what the command line or the export allows.
    """

    dynamodb: DynamoDBClient
    endpoint: Endpoint
    description: TableDescription
    attributes: tuple[str, ...]
    read_capacity: CapacitySetting = DEFAULT

    @property
    def read_limit(self) -> tuple[float | None, str]:
        """Read units per second, None without a limit, and the reason."""
        return read_limit(self.read_capacity, self.description)

    @property
    def key(self) -> tuple[str, ...]:
        return tuple(name for name, _ in self.description.key)


class ReadLimits:
    """The limit of a scan, each time it is called.

    `problems` has why the table could not be described; its last description holds.
    """

    def __init__(self, table: ScannedTable) -> None:
        self._watched = WatchedTable(table.dynamodb, table.description)
        self._setting = table.read_capacity

    @property
    def problems(self) -> list[str]:
        return self._watched.problems

    def __call__(self) -> list[AllowedRate]:
        return limited_reads(self._setting, self._watched())


@dataclass(frozen=True)
class ScanResult:
    """The items of a table, or of some of its segments, and what it took to read them.

    `limit` is in read units per second, None without one; `limit_source` says where it comes from.
    """

    segments: tuple[SegmentResult, ...]
    seconds: float
    limit: float | None
    limit_source: str

    @property
    def parts(self) -> tuple[StatePart, ...]:
        return tuple(segment.part for segment in self.segments)

    @property
    def items(self) -> int:
        return sum(part.keys for part in self.parts)

    @property
    def bytes(self) -> int:
        return sum(segment.bytes for segment in self.segments)

    @property
    def consumed(self) -> float:
        return sum(segment.consumed for segment in self.segments)

    @property
    def throttled(self) -> int:
        return sum(segment.throttled for segment in self.segments)


def segment_count(table: TableDescription, slots: int) -> int:
    """Segments of a table of this size: one for each slot, more for a large table."""
    by_size = max(-(-table.bytes // SEGMENT_BYTES), -(-table.items // SEGMENT_ITEMS))
    return min(MOST_SEGMENTS, max(slots, by_size))


def scan_table(
    spark: SparkSession,
    settings: Settings,
    table: ScannedTable,
    export: Location,
    folder: Location,
    segments: Sequence[Segment] | None = None,
) -> ScanResult:
    """Read the segments, by default the whole table, into files in `folder`.

    `folder` is in that of the export. Raises `ReadFailed` if a segment cannot be read.
    """
    name = table.description.name
    if segments is None:
        total = segment_count(table.description, driver_conf(spark).slots)
        segments = [Segment(number, total) for number in range(total)]
    step, limits = Step("scan", len(segments), "segments"), ReadLimits(table)
    with (
        read_pacing(spark, settings, limits, len(segments)) as pacing,
        read_job(spark, settings, step, folder.name, name, ReadLine(step, pacing, limits)),
    ):
        folder.make()
        task = ScanTask(
            export.within(folder),
            folder.uri.removeprefix(export.uri).strip("/"),
            f"{folder.name}-{uuid.uuid4().hex[:8]}",
            table.endpoint,
            table.key,
            table.attributes,
            pacing.address,
            settings.retry_seconds,
        )
        job = spark.sparkContext.parallelize(segments, len(segments)).map(task)
        results = tuple(job.collect())
    warn_of_fallbacks(step, [result.pace_fallback for result in results])
    result = ScanResult(results, step.seconds, *table.read_limit)
    facts = f"{result.items:,} items · {result.consumed / step.seconds:,.0f} read units/s"
    step.end(len(segments), f"{facts} · {result.throttled:,} throttled")
    return result


@contextmanager
def read_pacing(
    spark: SparkSession, settings: Settings, limits: ReadLimits, tasks: int
) -> Iterator[Pacing]:
    """Serve the limit of the reads to the tasks of the block."""
    conf = driver_conf(spark)
    place = driver_place(conf.properties, settings.pace_port or 0)
    with paced(limits, place, conf.running_tasks(tasks)) as pacing:
        yield pacing


def warn_of_fallbacks(step: Step, causes: Sequence[str | None]) -> None:
    """Print why tasks used a fixed share of the limit, which they cannot give to others."""
    for cause, tasks in Counter(filter(None, causes)).most_common():
        step.warn(f"{tasks:,} tasks used a fixed share of the read limit: {cause}")


@contextmanager
def read_job(
    spark: SparkSession, settings: Settings, step: Step, run: str, table: str, line: ReadLine
) -> Iterator[None]:
    """Watch the job of the block, whose tasks read the table; its failure becomes `ReadFailed`."""
    seconds = settings.stall_minutes * 60
    stall = StallWatch(spark, f"{run} {table} {step.name}", seconds, limited_tasks=True)
    try:
        with progress.watched(spark, stall, f"{step.name} {table}", line.show):
            yield
    except BaseException as error:
        step.broken()
        interruption.check()
        if not isinstance(error, Exception):
            raise
        raise _read_failure(table, error) from error


def _read_failure(table: str, error: Exception) -> ReadFailed:
    _, cause = failures.failure(error)
    if cause.startswith("cannot read the items "):
        return ReadFailed(cause)
    return ReadFailed(
        f"cannot read the items of table {table}: {reason(cause)}. "
        "Nothing was written: fix the cause, then run the command again"
    )
