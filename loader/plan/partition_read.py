"""The Spark jobs that read the partitions of an export and compare them with its state."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from loader.items.column_mapping import collected_attributes, text_columns
from loader.items.encoded_rows import encode_rows
from loader.items.export import Export
from loader.plan import redistribution
from loader.plan.known_state import KnownState
from loader.plan.moved_keys import keys_have_moved
from loader.plan.partition_files import PartitionFiles
from loader.plan.partition_result import PartitionResult
from loader.plan.result import partition_results
from loader.plan.task import COLLISION, OUTCOME, PlanTask
from loader.plan.view_check import View
from loader.settings import Settings
from loader.spark import progress
from loader.spark.progress import Step
from loader.spark.stall import StallWatch
from loader.storage.location import Location
from loader.storage.rejects import Rejects

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


@dataclass
class PartitionRead:
    """The read of one export into the run's folder; `known` is its state, with notes."""

    spark: SparkSession
    settings: Settings
    export: Export
    folder: Location
    view: View
    known: KnownState
    step: Step

    def results(self) -> list[PartitionResult]:
        """The results of all partitions that have rows or a state.

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
        results = self._read(task)
        if any(result.out_of_range for result in results):
            return results
        if distribute:
            with self._watched():
                return redistribution.compare_again(
                    self.spark, self.known, results, files, self.export.partitions
                )
        return [*results, *self._without_rows(task, results)]

    def _read(self, task: PlanTask) -> list[PartitionResult]:
        outcomes = self._outcomes(task, by_keys=False)
        if COLLISION in outcomes:
            task.files.delete()
            outcomes = self._outcomes(task, by_keys=True)
        return partition_results(outcomes)

    def _outcomes(self, task: PlanTask, by_keys: bool) -> list[str]:
        view, ranges = self.view, self.view.read

        def show(queries: int) -> None:
            self.step.show(sum(len(ranges.ids(query)) for query in range(queries)))

        encoded = encode_rows(view.frame, view.schema, self.export, by_keys, view.index_keys)
        with self._watched(show):
            return [row.outcome for row in encoded.mapInArrow(task, OUTCOME).collect()]

    def _without_rows(
        self, task: PlanTask, results: list[PartitionResult]
    ) -> list[PartitionResult]:
        """The partitions that have a state, but no rows any more."""
        read = {result.partition for result in results if result.part}
        empty = [n for n in self.known.parts if n is not None and n not in read]
        if not empty:
            return []
        with self._watched():
            rdd = self.spark.sparkContext.parallelize(empty, len(empty))
            return partition_results(rdd.map(task.without_items).collect())

    def _watched(
        self, show: Callable[[int], None] = lambda _: None
    ) -> AbstractContextManager[None]:
        group = f"{self.folder.name} {self.export.name} plan"
        stall = StallWatch(self.spark, group, self.settings.stall_minutes * 60)
        return progress.watched(self.spark, stall, f"plan {self.export.name}", show)

    def _files(self) -> PartitionFiles:
        export = self.known.folder
        path = self.folder.uri.removeprefix(export.uri).strip("/")
        parts = self.known.parts
        return PartitionFiles(export, path, parts, self.settings.full, self.export.split)

    def _task(self, files: PartitionFiles) -> PlanTask:
        schema = self.view.schema
        return PlanTask(
            files,
            self.export.partitions,
            collected_attributes(self.export, schema),
            Rejects(self.folder, self.folder.name, self.export.name),
            text_columns(self.export, schema),
        )
