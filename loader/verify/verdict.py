"""Compares the table with what it should have, and says what differs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from loader.dynamodb.operations import BATCH_GET_ITEM
from loader.dynamodb.reader import Reader
from loader.dynamodb.task_reader import task_reader
from loader.errors import ReadFailed, reason
from loader.settings import Settings
from loader.spark import failures, progress
from loader.spark.driver_conf import driver_conf
from loader.spark.stall import StallWatch
from loader.spark.task_rows import task_rows
from loader.verify.attributes import attribute_differences
from loader.verify.comparison import (
    LOOKED_AT,
    Comparison,
    Difference,
    ReadRejects,
    compare,
    state_rows,
)
from loader.verify.error_bound import upper_bound
from loader.verify.expected import Expected
from loader.verify.planned_item import planned_item
from loader.verify.sample_job import KeySample, sample_keys, sample_segments
from loader.verify.scan_job import ReadLimits, ScanResult, read_pacing, scan_table
from loader.verify.second_look import SecondLook, second_look
from loader.verify.tally import (
    DIFFERENT,
    DOUBT_ABSENT,
    DOUBT_PRESENT,
    EXTRA,
    KEPT,
    MISSING,
    REJECTED,
)
from loader.verify.verify_report import EXAMPLES, Example, Sample, VerifyReport

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


@dataclass(frozen=True)
class Found:
    """What was read, what differs at first, and the `equal` keys; `keys` is the sample of keys."""

    scan: ScanResult
    comparison: Comparison
    equal: int
    keys: KeySample | None = None
    sample: Sample | None = None

    @property
    def consumed(self) -> float:
        return self.scan.consumed + (self.keys.consumed if self.keys else 0)

    @property
    def throttled(self) -> int:
        return self.scan.throttled + (self.keys.throttled if self.keys else 0)


def verdict(
    spark: SparkSession, settings: Settings, expected: Expected, share: float | None
) -> VerifyReport:
    """Read the table, or this share of it, and compare. Raises `ReadFailed`."""
    if share is None:
        found = _everything(spark, settings, expected)
    else:
        found = _a_share(spark, settings, expected, share)
    table = expected.table
    differences = found.comparison.differences
    with read_pacing(spark, settings, ReadLimits(table), 1) as pacing:
        reader = task_reader(
            expected.run, BATCH_GET_ITEM, table.endpoint, pacing.address, settings.retry_seconds
        )
        look = second_look(reader, differences, table.key, table.attributes, EXAMPLES)
    return _report(expected, found, look, reader)


def _everything(spark: SparkSession, settings: Settings, expected: Expected) -> Found:
    scan = scan_table(spark, settings, expected.table, expected.home, expected.folder)
    comparison = _compared(spark, settings, expected, scan, with_missing=True)
    try:
        equal = comparison.equal(expected.keys, scan.items)
    except ValueError as error:
        raise ReadFailed(
            f"cannot compare table {expected.table.description.name}: the equal keys must be the "
            f"same on both sides, got {error}. Verify again; if it happens again, report a bug"
        ) from None
    return Found(scan, comparison, equal)


def _a_share(spark: SparkSession, settings: Settings, expected: Expected, share: float) -> Found:
    """Some of the expected keys, by their keys; and for extra keys some segments of the table."""
    table, home, run = expected.table, expected.home, expected.run
    keys = sample_keys(spark, settings, table, home, expected.parts, run, share)
    segments = sample_segments(share, run, driver_conf(spark).slots)
    scan = scan_table(spark, settings, table, home, expected.folder, segments)
    scanned = _compared(spark, settings, expected, scan, with_missing=False)
    wrong, extra = keys.comparison.count(MISSING, DIFFERENT), scanned.count(EXTRA)
    sample = Sample(
        share=share,
        keys=keys.keys,
        segments=len(segments),
        all_segments=segments[0].total,
        scanned_items=scan.items,
        most_wrong=upper_bound(wrong, keys.keys),
        most_extra=upper_bound(extra, scan.items),
    )
    not_equal = scanned.count(EXTRA, DIFFERENT, REJECTED, DOUBT_PRESENT)
    equal = keys.keys - wrong + scan.items - not_equal
    return Found(scan, _joined(keys.comparison, scanned), equal, keys, sample)


def _joined(first: Comparison, second: Comparison) -> Comparison:
    """Both comparisons; a key that both have found is counted once."""
    found = {(d.kind, d.key) for d in first.differences}
    again = [d for d in second.differences if (d.kind, d.key) in found]
    counts = Counter(first.counts) + Counter(second.counts) - Counter(d.kind for d in again)
    new = [d for d in second.differences if (d.kind, d.key) not in found]
    return Comparison(dict(counts), (*first.differences, *new))


def _compared(
    spark: SparkSession,
    settings: Settings,
    expected: Expected,
    scan: ScanResult,
    with_missing: bool,
) -> Comparison:
    jobs, seconds = f"{expected.run} {expected.export} compare", settings.stall_minutes * 60
    stall = StallWatch(spark, jobs, seconds)
    rejected = None
    if expected.plan and expected.plan.rejected_items:
        group = tuple(name for name in expected.table.key if name != expected.split)
        read = ReadRejects(expected.folder, group)
        rejected = task_rows(spark, expected.plan.reject_shards, read, "group string")
    split = expected.split if rejected is not None else None
    actual = state_rows(spark, expected.home, scan.parts, split)
    with (
        comparing(expected.table.description.name, expected.of),
        progress.watched(spark, stall, f"compare {expected.export}", lambda _: None),
    ):
        return compare(expected.rows, actual, rejected, with_missing)


@contextmanager
def comparing(table: str, of: str) -> Iterator[None]:
    """Raise `ReadFailed` if a job that reads the two sides fails."""
    try:
        yield
    except Exception as error:
        _, cause = failures.failure(error)
        raise ReadFailed(
            f"cannot compare table {table} with {of}: {reason(cause)}. Nothing was written: fix "
            "the cause, then run the command again"
        ) from error


def _report(expected: Expected, found: Found, look: SecondLook, reader: Reader) -> VerifyReport:
    counts = Counter(found.comparison.counts)
    counts.subtract(look.settled)
    for (before, now), keys in look.moved.items():
        counts[before] -= keys
        counts[now] += keys
    plan, scan = expected.plan, found.scan
    return VerifyReport(
        export=expected.export,
        table=expected.table.description.name,
        run=expected.run,
        against="model" if plan else "state",
        expected_of=expected.of,
        seconds=0.0,
        expected=expected.keys,
        read=scan.items,
        equal=found.equal + look.settled[MISSING] + look.settled[DIFFERENT],
        missing=counts[MISSING],
        extra=counts[EXTRA],
        different=counts[DIFFERENT],
        in_doubt=counts[DOUBT_PRESENT] + counts[DOUBT_ABSENT],
        rejected=counts[REJECTED],
        settled=look.settled.total(),
        rejected_items=plan.rejected_items if plan else 0,
        keyless_rows=plan.keyless_rows if plan else 0,
        read_units=found.consumed + reader.consumed,
        read_limit=scan.limit,
        read_limit_source=scan.limit_source,
        throttled=found.throttled + reader.throttled,
        loaded_meanwhile=False,
        missing_examples=_examples(look.differences, MISSING),
        extra_examples=_examples(look.differences, EXTRA),
        different_examples=[_different(expected, look, d) for d in _first(look, DIFFERENT)],
        notes=[*expected.notes, *_unread_notes(found.comparison)],
        next_commands=[*expected.next_commands],
        sample=found.sample,
    )


def _unread_notes(comparison: Comparison) -> list[str]:
    """The kinds of which not all keys were read again."""
    return [
        f"only {LOOKED_AT:,} of the {kind} keys were read again"
        for kind in KEPT
        if comparison.count(kind) > LOOKED_AT
    ]


def _first(look: SecondLook, kind: str) -> list[Difference]:
    return [d for d in look.differences if d.kind == kind][:EXAMPLES]


def _examples(differences: Sequence[Difference], kind: str) -> list[Example]:
    return [Example(d.key) for d in differences if d.kind == kind][:EXAMPLES]


def _different(expected: Expected, look: SecondLook, difference: Difference) -> Example:
    """The key with the attributes that differ, if the model's item is known."""
    model = None
    if expected.plan:
        model = planned_item(expected.plan, expected.folder, difference.place, difference.key)
    table = look.items.get(difference.key)
    if model is None or table is None:
        return Example(difference.key)
    attributes = expected.table.attributes
    return Example(difference.key, attribute_differences(table, model, attributes))
