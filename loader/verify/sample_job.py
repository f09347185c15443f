"""A Spark job that reads a sample of the expected keys from the table."""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from loader.dynamodb.scan import Segment
from loader.settings import Settings
from loader.spark.progress import Step
from loader.storage.location import Location
from loader.storage.state_part import StatePart
from loader.verify.comparison import Comparison
from loader.verify.read_line import ReadLine
from loader.verify.sample_task import SampleTask
from loader.verify.scan_job import (
    ReadLimits,
    ScannedTable,
    read_job,
    read_pacing,
    warn_of_fallbacks,
)

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

# Segments of the sample of the table: with fewer, one of them would be too much of a small share.
LEAST_SEGMENTS = 10


@dataclass(frozen=True)
class KeySample:
    """The comparison of `keys` of the expected keys; `consumed` are read units."""

    keys: int
    comparison: Comparison
    consumed: float
    throttled: int


def sample_keys(
    spark: SparkSession,
    settings: Settings,
    table: ScannedTable,
    home: Location,
    parts: Sequence[StatePart],
    run: str,
    share: float,
) -> KeySample:
    """Read this share of the keys in files of the state; the run chooses them."""
    name = table.description.name
    step, limits = Step("sample", len(parts), "files of keys"), ReadLimits(table)
    results = []
    if parts:
        with (
            read_pacing(spark, settings, limits, len(parts)) as pacing,
            read_job(spark, settings, step, run, name, ReadLine(step, pacing, limits)),
        ):
            task = SampleTask(
                home,
                run,
                share,
                table.endpoint,
                table.key,
                table.attributes,
                pacing.address,
                settings.retry_seconds,
            )
            results = spark.sparkContext.parallelize(parts, len(parts)).map(task).collect()
        warn_of_fallbacks(step, [result.pace_fallback for result in results])
    counts: Counter[str] = Counter()
    for result in results:
        counts.update(result.counts)
    differences = tuple(difference for result in results for difference in result.differences)
    sample = KeySample(
        sum(result.keys for result in results),
        Comparison(dict(counts), differences),
        sum(result.consumed for result in results),
        sum(result.throttled for result in results),
    )
    step.end(len(parts), f"{sample.keys:,} keys")
    return sample


def sample_segments(share: float, run: str, least: int) -> list[Segment]:
    """This share of the segments of a table; the run chooses them."""
    total = max(least, round(LEAST_SEGMENTS / share))
    numbers = sorted(range(total), key=lambda number: zlib.crc32(f"{run} {number}".encode()))
    return [Segment(number, total) for number in numbers[: max(1, round(total * share))]]
