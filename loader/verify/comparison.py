"""Joins the keys that a table should have with those that it has."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from loader.items.canonical import key_text
from loader.items.split_keys import group_keys
from loader.spark.task_rows import task_rows
from loader.storage.location import Location
from loader.storage.rejects import REJECT_SHARDS
from loader.storage.state_part import StatePart, read_state_part
from loader.verify.tally import (
    DIFFERENT,
    DOUBT_ABSENT,
    DOUBT_PRESENT,
    EXTRA,
    KEPT,
    MISSING,
    REJECTED,
    TALLY_TYPE,
    Tally,
)

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

# Keys of each kind that are read again from the table before they are reported.
LOOKED_AT = 1_000
ROWS = "key string, digest binary, place int"
BATCH_ROWS = 10_000
CHUNK_BYTES = 1 << 20


@dataclass(frozen=True)
class Difference:
    """A key with the digests that its item should have, and has; null if it should or does not."""

    kind: str
    key: str
    expected: bytes | None
    actual: bytes | None
    place: int | None


@dataclass(frozen=True)
class Comparison:
    """The number of keys of each kind, and the first LOOKED_AT of them by a hash."""

    counts: dict[str, int] = field(default_factory=dict)
    differences: tuple[Difference, ...] = ()

    def count(self, *kinds: str) -> int:
        return sum(self.counts.get(kind, 0) for kind in kinds)

    def equal(self, expected: int, actual: int) -> int:
        """The keys that are equal, of so many on each side; ValueError if that does not add up."""
        on_both = (DIFFERENT, DOUBT_PRESENT)
        of_expected = expected - self.count(MISSING, DOUBT_ABSENT, *on_both)
        of_actual = actual - self.count(EXTRA, REJECTED, *on_both)
        if of_expected != of_actual:
            raise ValueError(f"{of_expected:,} of the expected and {of_actual:,} of the read")
        return of_expected


def state_rows(
    spark: SparkSession, export: Location, parts: Sequence[StatePart], split: str | None = None
) -> DataFrame:
    """The keys in files of the state (ROWS); `place` is the partition of the file.

    With `split`, the sort key of split items, there is also the `group` of each key.
    """
    schema = ROWS if split is None else f"{ROWS}, group string"
    return task_rows(spark, parts, ReadPart(export, split), schema)


@dataclass(frozen=True)
class ReadPart:
    """The rows (ROWS) of a file of the state, with the groups of split items."""

    export: Location
    split: str | None = None

    def __call__(self, part: StatePart) -> Iterator[pa.RecordBatch]:
        for batch in read_state_part(self.export, part).to_batches(max_chunksize=BATCH_ROWS):
            place = pa.repeat(pa.scalar(part.partition, pa.int32()), batch.num_rows)
            digests = batch.column("digest").cast(pa.binary())  # Spark knows no fixed size
            rows = {"key": batch.column("key"), "digest": digests, "place": place}
            if self.split is not None:
                rows["group"] = group_keys(batch.column("key"), self.split)
            yield pa.RecordBatch.from_pydict(rows)


@dataclass(frozen=True)
class ReadRejects:
    """The groups whose items a plan rejected, from a shard of its rejects.

    `group` has the attributes of the key without that which numbers split items.
    """

    folder: Location
    group: tuple[str, ...]

    def __call__(self, shard: str) -> Iterator[pa.RecordBatch]:
        with (self.folder / REJECT_SHARDS).open(shard) as stream:
            documents = map(json.loads, _lines(stream))
            keys = (line["key"] for line in documents if line["key"] is not None)
            groups = (key_text(key, self.group) for key in keys)
            while batch := list(islice(groups, BATCH_ROWS)):
                yield pa.RecordBatch.from_arrays([pa.array(batch, pa.string())], ["group"])


def _lines(stream: Any) -> Iterator[bytes]:
    """The lines of a stream of Arrow, which cannot be iterated."""
    rest = b""
    while chunk := stream.read(CHUNK_BYTES):
        *lines, rest = (rest + chunk).split(b"\n")
        yield from lines


def compare(
    expected: DataFrame,
    actual: DataFrame,
    rejected: DataFrame | None = None,
    with_missing: bool = True,
) -> Comparison:
    """Compare keys (ROWS); the key that only one side has is missing or extra.

    `rejected` has the groups (`group`) whose items the plan rejected: the table may have any item
    of these. Without `with_missing`, `actual` is only a part of the table.
    """
    from pyspark.sql import functions as F

    ours = expected.select("key", "place", F.col("digest").alias("expected"), F.lit(1).alias("e"))
    group = F.col("group" if "group" in actual.columns else "key").alias("group")
    theirs = actual.select("key", group, F.col("digest").alias("actual"), F.lit(1).alias("a"))
    joined = ours.join(theirs, "key", "full_outer" if with_missing else "right")
    in_table, in_model = F.col("a").isNotNull(), F.col("e").isNotNull()
    is_rejected = F.lit(False)
    if rejected is not None:
        groups = rejected.select("group", F.lit(1).alias("r")).distinct()
        joined = joined.join(groups, "group", "left")
        is_rejected = F.col("r").isNotNull()
    kind = (
        F.when(in_model & F.col("expected").isNull() & in_table, DOUBT_PRESENT)
        .when(in_model & F.col("expected").isNull(), DOUBT_ABSENT)
        .when(in_model & ~in_table, MISSING)
        .when(~in_model & is_rejected, REJECTED)
        .when(~in_model, EXTRA)
        .when(F.col("expected") != F.col("actual"), DIFFERENT)
    )
    chance = F.xxhash64("key").alias("chance")
    differences = joined.select(kind.alias("kind"), "key", "expected", "actual", "place", chance)
    tallies = differences.where("kind is not null").mapInArrow(Tally(LOOKED_AT), TALLY_TYPE)
    return merged(row.asDict() for row in tallies.collect())


def merged(rows: Iterable[Mapping[str, Any]]) -> Comparison:
    """The tallies of all tasks; of each kind the LOOKED_AT keys of least chance."""
    counts: Counter[str] = Counter()
    kept: list[Mapping[str, Any]] = []
    for row in rows:
        if row["key"] is None:
            counts[row["kind"]] += row["count"]
        else:
            kept.append(row)
    kept.sort(key=lambda row: (row["chance"], row["key"]))
    differences: list[Difference] = []
    for kind in KEPT:
        of_kind = [row for row in kept if row["kind"] == kind]
        differences += [_difference(row) for row in of_kind[:LOOKED_AT]]
    return Comparison(dict(counts), tuple(differences))


def _difference(row: Mapping[str, Any]) -> Difference:
    expected, actual = (None if row[n] is None else bytes(row[n]) for n in ("expected", "actual"))
    return Difference(row["kind"], row["key"], expected, actual, row["place"])
