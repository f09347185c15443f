"""The stream of one plan task: encoded rows → items → changes → one changeset file a partition.

Runs on executors. What happened is returned, one JSON document a row, never counted in
accumulators: a retried task returns once.
"""

import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from loader.items.collisions import HashCollision, check_collisions
from loader.items.digest import DIGEST_BYTES, digest
from loader.items.grouping import group
from loader.items.item import CollectedAttribute
from loader.items.limits import ITEM_BYTES
from loader.items.texts import TextColumns
from loader.plan.result import PartitionResult, Reject
from loader.spark.attempt import attempt
from loader.storage.changeset import PUT, SCHEMA, write_part
from loader.storage.location import Location
from loader.storage.rejects import REJECT_EXAMPLES, Rejects, RejectShard

OUTCOME = "outcome string"
COLLISION = "collision"


@dataclass(frozen=True)
class PlanTask:
    """What a plan task needs to know; call it with the record batches of one Spark partition."""

    changes: Location
    partition_column: str
    partitions: int
    collected_attributes: tuple[CollectedAttribute, ...]
    rejects: Rejects
    texts: TextColumns

    def __call__(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """One row a partition of the stream, or COLLISION alone: then nothing here counts."""
        stream = iter(batches)
        try:
            complete = map(self.texts.complete, check_collisions(stream))
            outcomes = [plan.to_json() for plan in self._plans(complete)]
        except HashCollision:
            for _ in stream:  # Spark writes all of it before it reads the answer
                pass
            outcomes = [COLLISION]
        yield pa.RecordBatch.from_arrays([pa.array(outcomes, pa.string())], ["outcome"])

    def _plans(self, batches: Iterable[pa.RecordBatch]) -> list[PartitionResult]:
        read: Counter[int | None] = Counter()
        keyless: Counter[tuple[int | None, str]] = Counter()
        with_key = _with_key(_counted(batches, read), keyless)
        items = group(with_key, self.collected_attributes, self.texts.key)
        plans = list(self._partitions(items))
        for partition, rejects in _by_partition(keyless).items():
            rows = sum(reject.rows for reject in rejects)
            plans.append(PartitionResult(partition, rows, rows, rejects=rejects))
        enter_read(read, plans)
        return plans

    def _partitions(self, items: Iterable[pa.RecordBatch]) -> Iterator[PartitionResult]:
        """The partitions of the stream; each with its seconds, to the millisecond."""
        ended = time.monotonic()
        out_of_range: set[int | None] = set()
        for partition, stream in by_partition(items):
            started = time.monotonic()
            plan = self._partition(partition, stream)
            if (
                plan.out_of_range
            ):  # it may come again: such rows are sorted by their keys' hash alone
                if partition in out_of_range:
                    continue
                out_of_range.add(partition)
            plan.wait_seconds = round(started - ended, 3)
            ended = time.monotonic()
            plan.seconds = round(ended - started, 3)
            yield plan

    def _partition(self, partition: int | None, items: Iterable[pa.RecordBatch]) -> PartitionResult:
        if partition is None or not 0 <= partition < self.partitions:
            return self._misplaced(partition, items)
        plan = PartitionResult(partition)
        name = f"{partition:05d}-{attempt()}"
        with self.rejects.shard(f"plan-{name}.jsonl") as rejects:
            changes = puts(items, plan, rejects)
            plan.part = write_part(self.changes, f"{name}.arrow", partition, changes)
        plan.rejects_file = rejects.file
        return plan

    def _misplaced(self, partition: int | None, items: Iterable[pa.RecordBatch]) -> PartitionResult:
        """Read to the end, since the next partition's rows follow; the plan will be refused."""
        keys = [batch.column("key")[0].as_py() for batch in items]
        return PartitionResult(
            partition,
            out_of_range=f"partition column {self.partition_column} must be 0 to "
            f"{self.partitions - 1}, got {'NULL' if partition is None else partition} for key "
            f"{{{keys[0]}}}: build the model with the macro partition_column() and the exposure's "
            "number of partitions",
        )


def _counted(
    batches: Iterable[pa.RecordBatch], read: "Counter[int | None]"
) -> Iterator[pa.RecordBatch]:
    """The same batches; their rows are counted by partition before anything is made of them."""
    for batch in batches:
        for entry in pc.value_counts(batch.column("partition")).to_pylist():
            read[entry["values"]] += entry["counts"]
        yield batch


def enter_read(read: "Counter[int | None]", plans: list[PartitionResult]) -> None:
    """Give each partition the rows that were read of it; one that came to nothing is added."""
    for partition, rows in read.items():
        plan = next((plan for plan in plans if plan.partition == partition), None)
        if plan is None:
            plan = PartitionResult(partition)
            plans.append(plan)
        plan.rows_read = rows


def _with_key(
    batches: Iterable[pa.RecordBatch], keyless: "Counter[tuple[int | None, str]]"
) -> Iterator[pa.RecordBatch]:
    """The rows that have a key; the others are counted by partition and reason."""
    for batch in batches:
        if batch.column("key").null_count:
            missing = batch.filter(pc.is_null(batch.column("key")))
            partitions, reasons = missing.column("partition"), missing.column("problem")
            keyless.update(zip(partitions.to_pylist(), reasons.to_pylist(), strict=True))
            batch = batch.filter(pc.is_valid(batch.column("key")))
        yield batch


def _by_partition(
    keyless: "Counter[tuple[int | None, str]]",
) -> dict[int | None, list[Reject]]:
    rejects: dict[int | None, list[Reject]] = {}
    for (partition, reason), rows in keyless.items():
        rejects.setdefault(partition, []).append(Reject(reason, rows))
    return rejects


def by_partition(
    items: Iterable[pa.RecordBatch],
) -> Iterator[tuple[int | None, Iterator[pa.RecordBatch]]]:
    """Cut a stream sorted by partition into one stream a partition; read each to its end."""
    stream = _runs(items)
    head = next(stream, None)

    def run(partition: int | None) -> Iterator[pa.RecordBatch]:
        nonlocal head
        while head is not None and head[0] == partition:
            yield head[1]
            head = next(stream, None)

    while head is not None:
        yield head[0], run(head[0])


def _runs(items: Iterable[pa.RecordBatch]) -> Iterator[tuple[int | None, pa.RecordBatch]]:
    for batch in items:
        start = 0
        for values in pc.run_end_encode(batch.column("partition")).run_ends.to_pylist():
            yield batch.column("partition")[start].as_py(), batch.slice(start, values - start)
            start = values


def puts(
    items: Iterable[pa.RecordBatch], plan: PartitionResult, rejects: RejectShard
) -> Iterator[pa.RecordBatch]:
    """Items → changes (changeset.SCHEMA), all of them puts; fills in the account as they pass."""
    for batch in items:
        plan.rows += pc.sum(batch.column("rows")).as_py()
        _count(batch, plan)
        _largest(batch, plan)
        if batch.column("problem").null_count < batch.num_rows:
            _reject(batch.filter(pc.is_valid(batch.column("problem"))), plan, rejects)
            batch = batch.filter(pc.is_null(batch.column("problem")))
        item = batch.column("item")
        digests = [digest(text) for text in item.to_pylist()]
        yield pa.RecordBatch.from_arrays(
            [
                pa.array([PUT] * batch.num_rows, pa.int8()),
                batch.column("key"),
                batch.column("size").cast(pa.int32()),
                pa.array(digests, pa.binary(DIGEST_BYTES)),
                pc.binary_join_element_wise('{"PutRequest":{"Item":{', item, "}}}", ""),
            ],
            schema=SCHEMA,
        )


def _count(batch: pa.RecordBatch, plan: PartitionResult) -> None:
    """An item without rows goes on with the group before it."""
    further = pc.sum(pc.equal(batch.column("rows"), 0)).as_py()
    plan.items += batch.num_rows - further
    plan.split_items += further
    plan.dropped_elements += pc.sum(batch.column("dropped")).as_py()
    plan.truncated_items += pc.sum(pc.greater(batch.column("dropped"), 0)).as_py()


def _largest(batch: pa.RecordBatch, plan: PartitionResult) -> None:
    size = pc.max(batch.column("size")).as_py()
    if size > plan.largest_size:
        plan.largest_size = size
        at = pc.index(batch.column("size"), size).as_py()
        plan.largest_key = batch.column("key")[at].as_py()


def _reject(rejected: pa.RecordBatch, plan: PartitionResult, rejects: RejectShard) -> None:
    plan.rejected_items += rejected.num_rows
    for row in rejected.to_pylist():
        if len(plan.rejects) < REJECT_EXAMPLES:
            plan.rejects.append(Reject(row["problem"], row["rows"], row["key"]))
        # What is over DynamoDB's limit was cut short on the way.
        whole = row["item"] if row["size"] <= ITEM_BYTES else None
        rejects.rejected(plan.partition, row["key"], row["rows"], row["problem"], whole)
