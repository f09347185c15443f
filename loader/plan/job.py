"""Spark job 1: read a view into a changeset."""

from __future__ import annotations

from typing import TYPE_CHECKING

from loader import interruption
from loader.errors import PlanFailed, Refused, reason
from loader.items.column_mapping import collected_attributes, text_columns
from loader.items.encoded_rows import encode_rows
from loader.items.export import Export
from loader.plan.batch_size import batch_settings
from loader.plan.out_of_range import out_of_range_problem
from loader.plan.partition_result import PartitionResult
from loader.plan.result import Plan, partition_results
from loader.plan.task import COLLISION, OUTCOME, PlanTask
from loader.plan.view_check import View
from loader.settings import Settings
from loader.spark import failures, progress
from loader.spark.progress import Step
from loader.spark.stall import Stalled, StallWatch
from loader.storage.changeset import CHANGES
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
) -> Plan:
    """Read the export into a changeset in the run's folder, which has the run's name.

    Raises `PlanFailed` if the read fails or differs from the warehouse's counts, `Refused` if a
    row has an invalid partition; the folder then has incomplete files.
    """
    for name, value in batch_settings(view.schema).items():
        if name not in settings.spark:
            spark.conf.set(name, value)
    step = Step("plan", export.partitions, "partitions")
    try:
        plan = _read(spark, connection, export, folder, view, step, settings.stall_minutes * 60)
    except BaseException:
        step.broken()
        interruption.check()
        raise
    step.end(export.partitions, f"{plan.rows:,} rows · {plan.rows / step.seconds:,.0f} rows/s")
    return plan


def _read(
    spark: SparkSession,
    connection: Connection,
    export: Export,
    folder: Location,
    view: View,
    step: Step,
    stall_seconds: float,
) -> Plan:
    run = folder.name
    types = {field.name: field.dataType for field in view.schema.fields}

    def count_exactly() -> Counts:
        return count_groups_exactly(spark, connection, export, types, run)

    first_count = count_groups_before(spark, connection, export, types, run)
    results = _read_partitions(spark, connection, export, folder, view, step, stall_seconds)
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
    )
    if problems := count_problems(str(export.relation), before, after, plan.rows, plan.items):
        raise PlanFailed(f"{export.name}: {'; '.join([*problems, 'nothing was written'])}")
    rejects = Rejects(folder, run, export.name)
    rejects.join(plan.reject_shards, plan.keyless_lines(rejects))
    return plan


def _read_partitions(
    spark: SparkSession,
    connection: Connection,
    export: Export,
    folder: Location,
    view: View,
    step: Step,
    stall_seconds: float,
) -> list[PartitionResult]:
    schema = view.schema
    task = PlanTask(
        folder / CHANGES,
        export.partitions,
        collected_attributes(export, schema),
        Rejects(folder, folder.name, export.name),
        text_columns(export, schema),
    )

    def show(queries: int) -> None:
        step.show(sum(len(view.read.ids(query)) for query in range(queries)))

    def read(by_keys: bool) -> list[str]:
        encoded = encode_rows(view.frame, view.schema, export, by_keys, view.index_keys)
        stall = StallWatch(spark, f"{folder.name} {export.name} plan", stall_seconds)
        with progress.watched(spark, stall, f"plan {export.name}", show):
            return [row.outcome for row in encoded.mapInArrow(task, OUTCOME).collect()]

    try:
        outcomes = read(by_keys=False)
        if COLLISION in outcomes:
            task.changes.delete()
            outcomes = read(by_keys=True)
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
    return partition_results(outcomes)


def _named(ids: range) -> str:
    return f"partitions {ids[0]} to {ids[-1]}" if len(ids) > 1 else f"partition {ids[0]}"
