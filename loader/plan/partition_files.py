"""The two files of a partition that a plan writes: its part of the changeset and its state."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import chain

import pyarrow as pa

from loader.items.delta import Delta
from loader.plan.changes import Changes
from loader.plan.partition_result import PartitionResult
from loader.spark.attempt import attempt
from loader.storage.changeset import CHANGES, write_part
from loader.storage.location import Location
from loader.storage.prior import PriorPart
from loader.storage.rejects import RejectShard
from loader.storage.state_part import STATE_PARTS, StatePart, write_state_part


@dataclass(frozen=True)
class PartitionFiles:
    """Writes the files of one run; picklable. `path` is that of its folder in the export's.

    `known` has the state of partitions before the run; None means that it is compared later.
    `everything` and `split` are those of `Changes`.
    """

    export: Location
    path: str
    known: Mapping[int | None, PriorPart] | None = field(default_factory=dict)
    everything: bool = False
    split: str | None = None

    def changes_of(self, result: PartitionResult, shard: RejectShard | None) -> Changes:
        """The comparison of the partition of `result`, with its state."""
        delta = None
        if self.known is not None:
            prior = self.known.get(result.partition)
            delta = Delta(prior.read() if prior else None)
        return Changes(delta, result, shard, self.everything, self.split)

    def write(self, changes: Changes, puts: Iterable[pa.RecordBatch]) -> None:
        """Write the puts, the deletes that follow from them, and the new state."""
        result = changes.result
        partition = result.partition
        if partition is None:
            raise AssertionError("only a partition with a number has files")
        name = f"{partition:05d}-{attempt()}.arrow"
        stream = chain(puts, changes.deletes())
        folder = self.export / self.path
        result.part = write_part(folder / CHANGES, name, partition, stream)
        rows, checksum = write_state_part(folder / STATE_PARTS, name, changes.state)
        file = f"{self.path}/{STATE_PARTS}/{name}"
        result.state = StatePart(partition, file, rows - result.deletes, checksum)

    def delete(self) -> None:
        """Remove the files that were written."""
        for folder in (CHANGES, STATE_PARTS):
            (self.export / self.path / folder).delete()
