"""The Spark jobs that read the partitions of an export and compare them with its state."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from loader.items.column_mapping import collected_attributes, text_columns
from loader.items.encoded_rows import encode_keys, encode_rows
from loader.items.export import Export
from loader.plan import redistribution, same_rows
from loader.plan.known_state import KnownState
from loader.plan.moved_keys import keys_have_moved, new_keys, rejected_without_old_item
from loader.plan.partition_files import SAME, PartitionFiles
from loader.plan.partition_result import PartitionResult
from loader.plan.result import partition_results
from loader.plan.same_rows import Compared, CompareTask
from loader.plan.task import COLLISION, OUTCOME, PlanTask
from loader.plan.view_check import View
from loader.settings import Settings
from loader.spark import progress
from loader.spark.progress import Step
from loader.spark.stall import StallWatch
from loader.storage.location import Location
from loader.storage.rejects import Rejects
from loader.warehouse.connection import Connection
from loader.warehouse.counts import Counts
from loader.warehouse.key_hashes import ROW_COUNT, ROWS_HASH, read_key_hashes
from loader.warehouse.read import (
    KEY_HASH,
    ROW_HASH,
    ViewRead,
    added_name,
    read_rows,
    read_rows_of_keys,
)
from loader.warehouse.row_hash import RowHash

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession


@dataclass
class PartitionRead:
    """The read of one export into the run's folder; `known` is its state, with notes."""

    spark: SparkSession
    settings: Settings
    connection: Connection
    export: Export
    folder: Location
    view: View
    known: KnownState
    step: Step
    # The partitions of the current Spark job's tasks; of other tasks than these, they are unknown.
    _tasks: Sequence[range] = ()
    _jobs: int = 0

    def changed_results(self) -> tuple[list[PartitionResult], Counts] | None:
        """The results of all partitions without a read of all rows, and the warehouse's counts.

        None if all rows must be read. Raises what Spark raises.
        """
        if not same_rows.can_compare(self.known, self.settings, self.export):
            return None
        compared = self._compared_in_warehouse()
        rows, keys = (sum(getattr(part, name) for part in compared) for name in ("rows", "keys"))
        to_read = same_rows.keys_to_read(compared, self.view.read)
        if to_read is None:
            changed = sum(partition.changed for partition in compared)
            self.discard(
                f"{changed:,} of {keys:,} keys have other rows than in the last run: "
                "all rows were read"
            )
            return None
        files = replace(self._files(), same={p.partition: p.file for p in compared if p.file})
        results = self._changed(self._task(files), to_read)
        moved = not any(result.out_of_range for result in results) and self._keys_have_moved(
            results
        )
        if moved:
            self.discard("a key is in another partition than in the last run: all rows were read")
            return None
        (self.folder / SAME).delete()
        return results, Counts(rows, keys)

    def ids(self, task: int) -> range:
        """The partition ids of a task of the current Spark job; empty if they are not known."""
        return self._tasks[task] if task < len(self._tasks) else range(0)

    def discard(self, note: str) -> None:
        """Remove the files that were written, and add the reason to the notes of the plan."""
        self._files().delete()
        (self.folder / SAME).delete()
        self.known = replace(self.known, notes=(*self.known.notes, note))

    def _compared_in_warehouse(self) -> list[Compared]:
        view, export = self.view, self.export
        keys = read_key_hashes(self.spark, self.connection, self._view_read, self._row_hash)
        names = [added_name(name, export) for name in (ROW_COUNT, ROWS_HASH, KEY_HASH)]
        encoded = encode_keys(keys, view.schema, export, names)
        text_key = text_columns(export, view.schema).key
        task = CompareTask(self._files(), export.partitions, text_key)
        with self._watched(self._all_queries):
            outcomes = [row.outcome for row in encoded.mapInArrow(task, OUTCOME).collect()]
        return same_rows.compared(outcomes)

    @property
    def _all_queries(self) -> list[range]:
        return [self.view.read.ids(query) for query in range(self.view.read.queries)]

    def _changed(self, task: PlanTask, to_read: list[list[int]]) -> list[PartitionResult]:
        """The results of a read of the rows of some keys, by their hashes, per query."""
        results: list[PartitionResult] = []
        queries = [self.view.read.ids(query) for query, hashes in enumerate(to_read) if hashes]
        if queries:
            rows = partial(
                read_rows_of_keys,
                self.spark,
                self.connection,
                self._view_read,
                self._row_hash,
                to_read,
            )
            results = self._read(task, rows, queries)
        if any(result.out_of_range for result in results):
            return results
        return [*results, *self._without_rows(task, results)]

    @property
    def _view_read(self) -> ViewRead:
        view, quote = self.view, self.connection.dialect.quote
        return ViewRead(self.export, self.folder.name, view.read, view.types, quote)

    @property
    def _row_hash(self) -> RowHash:
        if self.view.row_hash is None:
            raise AssertionError("a state with hashes is compared with those of a view")
        return self.view.row_hash

    def _keys_have_moved(self, results: list[PartitionResult]) -> bool:
        """Whether a key may be in two partitions, or in another one than in the state."""
        new = [*new_keys(self.folder, results)]
        rejected = rejected_without_old_item(self.folder, results)
        return same_rows.new_key_is_known(self.known, new, rejected)

    def results(self) -> list[PartitionResult]:
        """The results of all partitions that have rows or a state; reads all rows.

        Raises what Spark raises; the folder then has incomplete files.
        """
        results = self._compared()
        if keys_have_moved(self.folder, results, self.export.split):
            self._files().delete()
            self.known = self.known.unpartitioned(
                "keys of the state are in other partitions now: the keys are distributed again"
            )
            results = self._compared()
        return results

    def _compared(self) -> list[PartitionResult]:
        distribute, files = redistribution.is_needed(self.known), self._files()
        task = self._task(redistribution.first_read(files) if distribute else files)
        results = self._read(task, self._rows, self._all_queries)
        if any(result.out_of_range for result in results):
            return results
        if distribute:
            with self._watched(()):
                return redistribution.compare_again(
                    self.spark, self.known, results, files, self.export.partitions
                )
        return [*results, *self._without_rows(task, results)]

    def _rows(self) -> DataFrame:
        """All rows, read with a login of now: that of the check may be too old."""
        view = self.view
        if view.login == self.connection.login():
            return view.frame
        return read_rows(self.spark, self.connection, self._view_read, view.row_hash)

    def _read(
        self, task: PlanTask, rows: Callable[[], DataFrame], queries: Sequence[range]
    ) -> list[PartitionResult]:
        """`queries` has the partitions of each Spark partition of the rows."""
        outcomes = self._outcomes(task, rows(), queries, by_keys=False)
        if COLLISION in outcomes:
            task.files.delete()
            outcomes = self._outcomes(task, rows(), queries, by_keys=True)
        return partition_results(outcomes)

    def _outcomes(
        self, task: PlanTask, frame: DataFrame, queries: Sequence[range], by_keys: bool
    ) -> list[str]:
        view = self.view

        def show(tasks: int) -> None:
            self.step.show(sum(map(len, queries[:tasks])))

        row_hash = added_name(ROW_HASH, self.export) if view.row_hash else None
        encoded = encode_rows(frame, view.schema, self.export, by_keys, view.index_keys, row_hash)
        with self._watched(queries, show):
            return [row.outcome for row in encoded.mapInArrow(task, OUTCOME).collect()]

    def _without_rows(
        self, task: PlanTask, results: list[PartitionResult]
    ) -> list[PartitionResult]:
        """The partitions that have a state, but no rows any more."""
        read = {result.partition for result in results if result.part}
        empty = [n for n in self.known.parts if n is not None and n not in read]
        if not empty:
            return []
        with self._watched([range(number, number + 1) for number in empty]):
            rdd = self.spark.sparkContext.parallelize(empty, len(empty))
            return partition_results(rdd.map(task.without_items).collect())

    def _watched(
        self, tasks: Sequence[range], show: Callable[[int], None] = lambda _: None
    ) -> AbstractContextManager[None]:
        """Watch one Spark job, whose tasks have these partitions."""
        self._tasks, self._jobs = tasks, self._jobs + 1
        # A group of its own: the tasks of the jobs before it do not count.
        group = f"{self.folder.name} {self.export.name} plan {self._jobs}"
        stall = StallWatch(self.spark, group, self.settings.stall_minutes * 60)
        return progress.watched(self.spark, stall, f"plan {self.export.name}", show)

    def _files(self) -> PartitionFiles:
        export = self.known.folder
        path = self.folder.uri.removeprefix(export.uri).strip("/")
        place = export.within(self.folder)
        parts = {n: replace(prior, folder=place) for n, prior in self.known.parts.items()}
        return PartitionFiles(place, path, parts, self.settings.full, self.export.split)

    def _task(self, files: PartitionFiles) -> PlanTask:
        schema = self.view.schema
        return PlanTask(
            files,
            self.export.partitions,
            collected_attributes(self.export, schema),
            Rejects(self.folder.within(self.folder), self.folder.name, self.export.name),
            text_columns(self.export, schema),
        )
