"""The stream of one plan task: encoded rows → items → changes → two files per partition.

One is its part of the changeset, the other its state after the changes.

Runs on executors. A task returns its counts, one JSON document per row, and uses no accumulators:
a task that is retried returns once.
"""

import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from loader.items.collected_attribute import CollectedAttribute
from loader.items.grouping import group
from loader.items.hash_collisions import HashCollision, check_collisions
from loader.items.text_encoding import TextColumns
from loader.plan.partition_files import PartitionFiles
from loader.plan.partition_result import PartitionResult, Reject
from loader.printable import shortened
from loader.spark.attempt import attempt
from loader.storage.rejects import Rejects

OUTCOME = "outcome string"
COLLISION = "collision"


@dataclass(frozen=True)
class PlanTask:
    """Call it with the record batches of one Spark partition."""

    files: PartitionFiles
    partitions: int
    collected_attributes: tuple[CollectedAttribute, ...]
    rejects: Rejects
    texts: TextColumns

    def __call__(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """One row per PartitionResult, or only COLLISION: then ignore the task's files."""
        stream = iter(batches)
        try:
            complete = map(self.texts.complete, check_collisions(stream))
            outcomes = [result.to_json() for result in self._results(complete)]
        except HashCollision:
            for _ in stream:  # Spark writes the whole stream before it reads the answer
                pass
            outcomes = [COLLISION]
        yield pa.RecordBatch.from_arrays([pa.array(outcomes, pa.string())], ["outcome"])

    def _results(self, batches: Iterable[pa.RecordBatch]) -> list[PartitionResult]:
        rows_read: Counter[int | None] = Counter()
        keyless: Counter[tuple[int | None, str]] = Counter()
        with_key = _with_key(_counted(batches, rows_read), keyless)
        items = group(with_key, self.collected_attributes, self.texts.key)
        results = [*self._partitions(items), *_keyless_results(keyless)]
        enter_rows_read(rows_read, results)
        return results

    def _partitions(self, items: Iterable[pa.RecordBatch]) -> Iterator[PartitionResult]:
        """The results of the stream's partitions, with their seconds to the millisecond."""
        ended = time.monotonic()
        out_of_range: set[int | None] = set()
        for partition, stream in by_partition(items):
            started = time.monotonic()
            result = self._partition(partition, stream)
            # Spark sorts such rows only by the hash of their key: the partition may appear again.
            if result.out_of_range and partition in out_of_range:
                continue
            if result.out_of_range:
                out_of_range.add(partition)
            result.wait_seconds = round(started - ended, 3)
            ended = time.monotonic()
            result.seconds = round(ended - started, 3)
            yield result

    def _partition(self, partition: int | None, items: Iterable[pa.RecordBatch]) -> PartitionResult:
        if partition is None or not 0 <= partition < self.partitions:
            return self._out_of_range(partition, items)
        result = PartitionResult(partition)
        with self.rejects.shard(f"plan-{partition:05d}-{attempt()}.jsonl") as shard:
            changes = self.files.changes_of(result, shard)
            self.files.write(changes, changes.of_items(items))
        result.reject_shard = shard.file
        return result

    def without_items(self, partition: int) -> str:
        """The result of a partition that has a state but no rows: its keys are deleted."""
        return self._partition(partition, iter(())).to_json()

    def _out_of_range(
        self, partition: int | None, items: Iterable[pa.RecordBatch]
    ) -> PartitionResult:
        """Read to the partition's end, because the next partition's rows follow."""
        keys = [batch.column("key")[0].as_py() for batch in items]
        return PartitionResult(partition, out_of_range=f"{{{shortened(str(keys[0]))}}}")


def _counted(
    batches: Iterable[pa.RecordBatch], rows_read: "Counter[int | None]"
) -> Iterator[pa.RecordBatch]:
    """The same batches; counts their rows by partition, before anything else reads them."""
    for batch in batches:
        for entry in pc.value_counts(batch.column("partition")).to_pylist():
            rows_read[entry["values"]] += entry["counts"]
        yield batch


def enter_rows_read(rows_read: "Counter[int | None]", results: list[PartitionResult]) -> None:
    """Set `rows_read` in the first result of each partition; adds a missing result."""
    for partition, rows in rows_read.items():
        result = next((result for result in results if result.partition == partition), None)
        if result is None:
            result = PartitionResult(partition)
            results.append(result)
        result.rows_read = rows


def _with_key(
    batches: Iterable[pa.RecordBatch], keyless: "Counter[tuple[int | None, str]]"
) -> Iterator[pa.RecordBatch]:
    """The rows that have a key; counts the others by partition and reason."""
    for batch in batches:
        if batch.column("key").null_count:
            missing = batch.filter(pc.is_null(batch.column("key")))
            partitions, reasons = missing.column("partition"), missing.column("problem")
            keyless.update(zip(partitions.to_pylist(), reasons.to_pylist(), strict=True))
            batch = batch.filter(pc.is_valid(batch.column("key")))
        yield batch


def _keyless_results(keyless: "Counter[tuple[int | None, str]]") -> Iterable[PartitionResult]:
    """One result per partition that has rows without a key."""
    results: dict[int | None, PartitionResult] = {}
    for (partition, reason), rows in keyless.items():
        result = results.setdefault(partition, PartitionResult(partition))
        result.rows += rows
        result.keyless_rows += rows
        result.rejects.append(Reject(reason, rows))
    return results.values()


def by_partition(
    items: Iterable[pa.RecordBatch],
) -> Iterator[tuple[int | None, Iterator[pa.RecordBatch]]]:
    """Cut a stream sorted by partition into one stream per partition; read each to its end."""
    runs = _runs(items)
    head = next(runs, None)

    def stream(partition: int | None) -> Iterator[pa.RecordBatch]:
        nonlocal head
        while head is not None and head[0] == partition:
            yield head[1]
            head = next(runs, None)

    while head is not None:
        yield head[0], stream(head[0])


def _runs(items: Iterable[pa.RecordBatch]) -> Iterator[tuple[int | None, pa.RecordBatch]]:
    for batch in items:
        start = 0
        for end in pc.run_end_encode(batch.column("partition")).run_ends.to_pylist():
            yield batch.column("partition")[start].as_py(), batch.slice(start, end - start)
            start = end
