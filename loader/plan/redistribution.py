"""The comparison with a state whose parts are not the partitions of the export.

The partition of a key is known only from the model, so the plan first writes all its items as puts.
A join then gives each key of the state the partition that the model has for it; a key that the
model does not have can be in any partition. After that, partitions are compared as usual, from
files instead of from rows. No key can be put and deleted: both come from the same read.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from loader.items.delta import STATE, without
from loader.items.split_keys import group_keys
from loader.plan.changes import Changes
from loader.plan.known_state import KnownState
from loader.plan.partition_files import PartitionFiles
from loader.plan.partition_result import PartitionResult
from loader.spark.attempt import attempt
from loader.spark.task_rows import task_rows
from loader.storage.changeset import CHANGES, Extent, Part, read_extent
from loader.storage.location import Location
from loader.storage.prior import Overlay, PriorPart
from loader.storage.state_part import StatePart, read_state_part, write_state_part

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

FIRST_READ = "first-read"  # folder of all puts, in the folder of a run
DISTRIBUTED = "distributed"  # folder of the state by the partitions of the export
# `number` is the age of a row: that of a later run replaces it. `present` is whether the table may
# have the key. `group` is the key without the number of a split item.
ROWS = "group string, key string, digest binary, size int, number int, present boolean"
PARTITION_OF_GROUP = "group string, partition int"
OUTCOME = "outcome string"


@dataclass(frozen=True)
class Piece:
    """A file of the state, or an extent of an unfinished run's changes."""

    number: int
    prior: PriorPart
    overlay: Overlay | None = None


def first_read(files: PartitionFiles) -> PartitionFiles:
    """The files of a plan that compares nothing."""
    return replace(files, path=f"{files.path}/{FIRST_READ}", known=None)


def compare_again(
    spark: SparkSession,
    known: KnownState,
    results: Sequence[PartitionResult],
    files: PartitionFiles,
    partitions: int,
) -> list[PartitionResult]:
    """The results of the first read, whose changes are all puts, compared with the state.

    `files` are those of the plan.
    """
    rows = rows_of_state(spark, known, files.split)
    groups = _groups(spark, files.export, results, files.split)
    write = WriteState(files.export, f"{files.path}/{DISTRIBUTED}")
    outcomes = _placed(rows, groups, partitions).mapInArrow(write, OUTCOME).collect()
    parts = [StatePart(**json.loads(row.outcome)) for row in outcomes]
    state = {part.partition: PriorPart(files.export, (part,)) for part in parts}
    by_partition = {result.partition: result for result in results if result.part}
    numbers = sorted({*by_partition, *state} - {None}, key=lambda number: number or 0)
    tasks = [by_partition.get(number, PartitionResult(number)) for number in numbers]
    compare = Compare(first_read(files), replace(files, known=state))
    compared: list[PartitionResult] = []
    if tasks:
        compared = spark.sparkContext.parallelize(tasks, len(tasks)).map(compare).collect()
    for folder in (FIRST_READ, DISTRIBUTED):
        (files.export / files.path / folder).delete()
    return [*compared, *(result for result in results if not result.part)]


@dataclass(frozen=True)
class Compare:
    """Compares the puts of the first read with the state of their partition."""

    first_read: PartitionFiles
    files: PartitionFiles

    def __call__(self, result: PartitionResult) -> PartitionResult:
        part, state = result.part, result.state
        result = replace(result, new=0, full_write_units=0, part=None, state=None)
        changes = self.files.changes_of(result, None)
        if state is not None:
            rows = read_state_part(self.files.export, state)
            rejected = rows.filter(pc.is_null(rows.column("digest")))
            for batch in rejected.to_batches():
                changes.keep(batch.column("key"))
        self.files.write(changes, self._compared(changes, part))
        return result

    def _compared(self, changes: Changes, part: Part | None) -> Iterator[pa.RecordBatch]:
        if part is None or not part.batches:
            return
        folder = self.first_read.export / self.first_read.path / CHANGES
        extent = Extent(part.partition, part.file, 0, len(part.batches))
        yield from changes.compare_all(read_extent(folder, extent))


def _of_state(rows: pa.RecordBatch) -> pa.RecordBatch:
    """Rows (STATE) without the hashes of their rows, which no join needs."""
    known = [rows.column(name).cast(STATE.field(name).type) for name in ("key", "digest", "size")]
    return pa.RecordBatch.from_arrays([*known, pa.nulls(rows.num_rows, pa.int64())], schema=STATE)


@dataclass(frozen=True)
class WriteState:
    """Writes rows (partition, key, digest, size), sorted by partition, to one file each."""

    export: Location
    path: str

    def __call__(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        held: dict[int, list[pa.RecordBatch]] = {}
        outcomes = []
        for batch in batches:
            for partition in pc.unique(batch.column("partition")).to_pylist():
                for number in [n for n in held if n != partition]:
                    outcomes.append(self._write(number, held.pop(number)))
                rows = batch.filter(pc.equal(batch.column("partition"), partition))
                held.setdefault(partition, []).append(_of_state(rows))
        outcomes += [self._write(number, rows) for number, rows in held.items()]
        yield pa.RecordBatch.from_arrays([pa.array(outcomes, pa.string())], ["outcome"])

    def _write(self, partition: int, rows: list[pa.RecordBatch]) -> str:
        name = f"{partition:05d}-{attempt()}.arrow"
        keys, checksum = write_state_part(self.export / self.path, name, rows)
        return json.dumps(asdict(StatePart(partition, f"{self.path}/{name}", keys, checksum)))


def rows_of_state(spark: SparkSession, known: KnownState, split: str | None) -> DataFrame:
    """The last row of each key that may be in the table (ROWS)."""
    from pyspark.sql import functions as F

    pieces = [
        Piece(0, replace(prior, parts=(part,), overlays=()))
        for prior in known.parts.values()
        for part in prior.parts
    ]
    age = {run: number for number, run in enumerate(known.folded, 1)}
    for prior in known.parts.values():
        pieces += [
            Piece(age[overlay.run.name], prior, replace(overlay, extents=(extent,)))
            for overlay in prior.overlays
            for extent in overlay.extents
        ]
    rows = task_rows(spark, pieces, ReadPiece(split), ROWS)
    if not any(piece.overlay for piece in pieces):
        return rows
    last = F.max(F.struct("number", "present", "digest", "size", "group")).alias("last")
    return rows.groupBy("key").agg(last).where("last.present").select("key", "last.*")


@dataclass(frozen=True)
class ReadPiece:
    """The rows (ROWS) of a piece of the state."""

    split: str | None

    def __call__(self, piece: Piece) -> Iterator[pa.RecordBatch]:
        if piece.overlay is None:
            tables = [(piece.prior.read(), True)]
        else:
            touched, present = piece.overlay.rows()
            present = present if piece.prior.comparable else without(present, "digest")
            gone = touched.filter(pc.invert(pc.is_in(touched.column("key"), present.column("key"))))
            tables = [(present, True), (gone, False)]
        for table, is_present in tables:
            for batch in table.to_batches(max_chunksize=10_000):
                count = batch.num_rows
                yield pa.RecordBatch.from_arrays(
                    [
                        group_keys(batch.column("key"), self.split),
                        batch.column("key"),
                        batch.column("digest").cast(pa.binary()),  # Spark has no fixed size
                        batch.column("size"),
                        pa.repeat(pa.scalar(piece.number, pa.int32()), count),
                        pa.repeat(is_present, count),
                    ],
                    ["group", "key", "digest", "size", "number", "present"],
                )


def _groups(
    spark: SparkSession, export: Location, results: Sequence[PartitionResult], split: str | None
) -> DataFrame:
    """The partition of each group that the model has (PARTITION_OF_GROUP)."""
    states = [result.state for result in results if result.state]
    return task_rows(spark, states, ReadGroups(export, split), PARTITION_OF_GROUP).distinct()


@dataclass(frozen=True)
class ReadGroups:
    """The groups of a state part, rejected ones included."""

    export: Location
    split: str | None

    def __call__(self, part: StatePart) -> Iterator[pa.RecordBatch]:
        for batch in read_state_part(self.export, part).to_batches(max_chunksize=10_000):
            partition = pa.repeat(pa.scalar(part.partition, pa.int32()), batch.num_rows)
            groups = group_keys(batch.column("key"), self.split)
            yield pa.RecordBatch.from_arrays([groups, partition], ["group", "partition"])


def _placed(rows: DataFrame, groups: DataFrame, partitions: int) -> DataFrame:
    """Rows (partition, key, digest, size), sorted by partition within each Spark partition."""
    from pyspark.sql import functions as F

    anywhere = F.pmod(F.xxhash64("group"), F.lit(partitions)).cast("int")
    partition = F.coalesce("partition", anywhere).alias("partition")
    joined = rows.join(groups, "group", "left").select(partition, "key", "digest", "size")
    return joined.repartition(partitions, "partition").sortWithinPartitions("partition")


def is_needed(known: KnownState) -> bool:
    return bool(known.parts) and not known.partitioned
