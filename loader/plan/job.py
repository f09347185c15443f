"""Spark job 1: read a view into a changeset."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from loader import interruption
from loader.errors import PlanFailed, Refused, reason
from loader.items.column_mapping import collected_attributes, text_columns
from loader.items.encoded_rows import encode_rows
from loader.items.export import Export
from loader.plan import redistribution
from loader.plan.batch_size import batch_settings
from loader.plan.guards import guard_limits
from loader.plan.known_state import KnownState
from loader.plan.out_of_range import out_of_range_problem
from loader.plan.partition_files import PartitionFiles
from loader.plan.partition_result import PartitionResult
from loader.plan.result import Plan, partition_results
from loader.plan.task import COLLISION, OUTCOME, PlanTask
from loader.plan.view_check import View
from loader.settings import Settings
from loader.spark import failures, progress
from loader.spark.progress import Step
from loader.spark.stall import Stalled, StallWatch
from loader.storage.location import Location
from loader.storage.rejects import Rejects
from loader.warehouse.connection import Connection
from loader.warehouse.counts import (
    Counts,
    count_groups_before,
    count_groups_exactly,
    count_problems,
    count_rows,
    reconcile_key_count,
)

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


def plan_export(
    spark: SparkSession,
    settings: Settings,
    connection: Connection,
    export: Export,
    folder: Location,
    view: View,
    known: KnownState | None = None,
) -> Plan:
    """Read the export into a changeset in the run's folder, which has the run's name.

    Without a `known` state all items are puts.

    Raises `PlanFailed` if the read fails or differs from the warehouse's counts, `Refused` if a
    row has an invalid partition; the folder then has incomplete files.
    """
    for name, value in batch_settings(view.schema).items():
        if name not in settings.spark:
            spark.conf.set(name, value)
    step = Step("plan", export.partitions, "partitions")
    try:
        known = known or KnownState(folder.parent.parent)
        plan = _read(spark, settings, connection, export, folder, view, known, step)
    except BaseException:
        step.broken()
        interruption.check()
        raise
    step.end(export.partitions, f"{plan.rows:,} rows · {plan.rows / step.seconds:,.0f} rows/s")
    return plan


def _read(
    spark: SparkSession,
    settings: Settings,
    connection: Connection,
    export: Export,
    folder: Location,
    view: View,
    known: KnownState,
    step: Step,
) -> Plan:
    run = folder.name
    types = {field.name: field.dataType for field in view.schema.fields}

    def count_exactly() -> Counts:
        return count_groups_exactly(spark, connection, export, types, run)

    first_count = count_groups_before(spark, connection, export, types, run)
    results = _read_partitions(spark, settings, connection, export, folder, view, known, step)
    if problem := out_of_range_problem(export.partition_column, export.partitions, results):
        raise Refused(problem, f"export {export.name}")
    try:
        before = first_count.result()
        after = count_rows(spark, connection, export, run)
        groups = sum(result.items for result in results)
        before = reconcile_key_count(before, after, groups, count_exactly)
    except Exception as error:
        _, cause = failures.failure(error)
        raise PlanFailed(
            f"cannot count the rows of {export.relation} in {connection} for export "
            f"{export.name}: {reason(cause)}. Nothing was written: fix the cause, load again"
        ) from error
    plan = Plan(
        run=run,
        export=export.name,
        model=export.model,
        table=export.table,
        key=view.key,
        partitions=export.partitions,
        queries=view.read.queries,
        seconds=step.seconds,
        partition_results=results,
        warehouse_rows_before=before.rows,
        warehouse_keys=before.keys,
        warehouse_rows_after=after,
        base=known.serial,
        base_run=known.run,
        folded=known.folded,
        has_state=bool(known.parts),
        limits=guard_limits(export, settings),
    )
    if problems := count_problems(str(export.relation), before, after, plan.rows, plan.items):
        raise PlanFailed(f"{export.name}: {'; '.join([*problems, 'nothing was written'])}")
    rejects = Rejects(folder, run, export.name)
    rejects.join(plan.reject_shards, plan.keyless_lines(rejects))
    return plan


def _read_partitions(
    spark: SparkSession,
    settings: Settings,
    connection: Connection,
    export: Export,
    folder: Location,
    view: View,
    known: KnownState,
    step: Step,
) -> list[PartitionResult]:
    schema, stall_seconds = view.schema, settings.stall_minutes * 60
    path = folder.uri.removeprefix(known.folder.uri).strip("/")
    files = PartitionFiles(known.folder, path, known.parts, settings.full, export.split)
    distribute = redistribution.is_needed(known)
    task = PlanTask(
        redistribution.first_read(files) if distribute else files,
        export.partitions,
        collected_attributes(export, schema),
        Rejects(folder, folder.name, export.name),
        text_columns(export, schema),
    )

    def show(queries: int) -> None:
        step.show(sum(len(view.read.ids(query)) for query in range(queries)))

    def watched(show: Callable[[int], None]) -> AbstractContextManager[None]:
        stall = StallWatch(spark, f"{folder.name} {export.name} plan", stall_seconds)
        return progress.watched(spark, stall, f"plan {export.name}", show)

    def read(by_keys: bool) -> list[str]:
        encoded = encode_rows(view.frame, view.schema, export, by_keys, view.index_keys)
        with watched(show):
            return [row.outcome for row in encoded.mapInArrow(task, OUTCOME).collect()]

    def compare(results: list[PartitionResult]) -> list[PartitionResult]:
        """Add what no query has returned: the partitions without rows; a state to distribute."""
        if distribute:
            with watched(lambda _: None):
                return redistribution.compare_again(spark, known, results, files, export.partitions)
        read = {result.partition for result in results if result.part}
        empty = [n for n in known.parts if n is not None and n not in read]
        if not empty:
            return results
        with watched(lambda _: None):
            deletes = spark.sparkContext.parallelize(empty, len(empty)).map(task.without_items)
            return [*results, *partition_results(deletes.collect())]

    try:
        outcomes = read(by_keys=False)
        if COLLISION in outcomes:
            task.files.delete()
            outcomes = read(by_keys=True)
        results = partition_results(outcomes)
        if any(result.out_of_range for result in results):
            return results
        return compare(results)
    except Exception as error:
        query, cause = failures.failure(error)
        if cause.startswith("cannot "):  # a file of the storage
            raise PlanFailed(
                f"cannot plan export {export.name}: {reason(cause)}. Nothing was written: "
                "fix the cause, load again"
            ) from error
        queries = [] if query is None else [query]
        if isinstance(error, Stalled):
            queries = error.tasks
        partitions = " and ".join(_named(view.read.ids(query)) for query in queries)
        raise PlanFailed(
            f"cannot read {partitions or 'all partitions'} of {export.relation} from {connection} "
            f"for export {export.name}: {reason(cause)}. Nothing was written: fix the cause, load "
            "again"
        ) from error


def _named(ids: range) -> str:
    return f"partitions {ids[0]} to {ids[-1]}" if len(ids) > 1 else f"partition {ids[0]}"
