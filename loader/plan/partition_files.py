"""The files of a partition that a plan writes: its part of the changeset, its state, row counts."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import chain

import pyarrow as pa
import pyarrow.compute as pc

from loader.items.delta import STATE, Delta
from loader.plan.changes import Changes
from loader.plan.partition_result import PartitionResult
from loader.spark.attempt import attempt
from loader.storage.changeset import CHANGES, write_part
from loader.storage.location import Location
from loader.storage.prior import PriorPart
from loader.storage.rejects import RejectShard
from loader.storage.state_part import STATE_PARTS, StatePart, write_state_part

SAME = "same"  # folder of the numbers of rows that are the same, in the folder of a run


@dataclass(frozen=True)
class PartitionFiles:
    """Writes the files of one run; picklable. `path` is that of its folder in the export's.

    `known` has the state of partitions before the run; None means that it is compared later.
    `everything` and `split` are those of `Changes`. `same` has the file of each partition in which
    some keys need no comparison (same_rows.py).
    """

    export: Location
    path: str
    known: Mapping[int | None, PriorPart] | None = field(default_factory=dict)
    everything: bool = False
    split: str | None = None
    same: Mapping[int | None, str] = field(default_factory=dict)

    def changes_of(self, result: PartitionResult, shard: RejectShard | None) -> Changes:
        """The comparison of the partition of `result`, with its state."""
        if self.known is None:
            return Changes(None, result, shard, self.everything, self.split)
        prior, same = self.known.get(result.partition), self.same.get(result.partition)
        state = prior.read() if prior else STATE.empty_table()
        if same is None:
            return Changes(Delta(state), result, shard, self.everything, self.split)
        rows = self.row_counts(same)
        is_same = pc.greater(rows, 0)
        changes = Changes(
            Delta(state.filter(pc.invert(is_same))), result, shard, self.everything, self.split
        )
        changes.add_same(state.filter(is_same), rows.filter(is_same))
        return changes

    def write_row_counts(self, partition: int, rows: pa.ChunkedArray) -> str:
        """Write the counts of rows of a partition, for `same`; returns the name of the file."""
        table, name = pa.table({"rows": rows.cast(pa.int64())}), _file_name(partition)
        with (self.export / self.path / SAME).create(name) as stream:
            options = pa.ipc.IpcWriteOptions(compression="lz4", use_threads=False)
            with pa.ipc.new_file(stream, table.schema, options=options) as writer:
                writer.write_table(table)
        return name

    def row_counts(self, file: str) -> pa.ChunkedArray:
        """One number per row of the state: the rows of its key, 0 unless they are the same."""
        content = (self.export / self.path / SAME).read(file)
        options = pa.ipc.IpcReadOptions(use_threads=False)
        return pa.ipc.open_file(pa.BufferReader(content), options=options).read_all().column("rows")

    def write(self, changes: Changes, puts: Iterable[pa.RecordBatch]) -> None:
        """Write the puts, the deletes that follow from them, and the new state."""
        result = changes.result
        partition = result.partition
        if partition is None:
            raise AssertionError("only a partition with a number has files")
        name = _file_name(partition)
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


def _file_name(partition: int) -> str:
    """Each attempt of a task writes its own file."""
    return f"{partition:05d}-{attempt()}.arrow"
