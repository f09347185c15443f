"""Spark job 1: read a view into a changeset."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

from loader import interruption
from loader.errors import PlanFailed, Refused, reason
from loader.items.export import Export
from loader.plan.batch_size import batch_settings
from loader.plan.guards import guard_limits
from loader.plan.known_state import KnownState
from loader.plan.out_of_range import out_of_range_problem
from loader.plan.partition_read import PartitionRead
from loader.plan.partition_result import PartitionResult
from loader.plan.result import Plan
from loader.plan.same_rows import rows_version
from loader.plan.view_check import View
from loader.settings import Settings
from loader.spark import failures
from loader.spark.progress import Step
from loader.spark.stall import Stalled
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
    folder.make()
    step = Step("plan", export.partitions, "partitions")
    known = known or KnownState(folder.parent.parent)
    read = PartitionRead(spark, settings, connection, export, folder, view, known, step)
    try:
        plan = _plan(read)
    except BaseException:
        step.broken()
        interruption.check()
        raise
    step.end(export.partitions, f"{plan.rows:,} rows · {plan.rows / step.seconds:,.0f} rows/s")
    return plan


def _plan(read: PartitionRead) -> Plan:
    export, view, folder, known = read.export, read.view, read.folder, read.known
    results, before, after = _changed(read) or _all(read)
    plan = Plan(
        run=folder.name,
        export=export.name,
        model=export.model,
        table=export.table,
        key=view.key,
        partitions=export.partitions,
        queries=view.read.queries,
        seconds=read.step.seconds,
        partition_results=results,
        warehouse_rows_before=before.rows,
        warehouse_keys=before.keys,
        warehouse_rows_after=after,
        base=known.serial,
        base_run=known.run,
        folded=list(known.folded),
        has_state=bool(known.parts),
        distributed=not read.known.partitioned,
        notes=list(read.known.notes),
        limits=guard_limits(export, read.settings),
        rows_version=rows_version(export, view),
    )
    if problems := count_problems(str(export.relation), before, after, plan.rows, plan.items):
        raise PlanFailed(f"{export.name}: {'; '.join([*problems, 'nothing was written'])}")
    rejects = Rejects(folder, plan.run, export.name)
    rejects.join(plan.reject_shards, plan.keyless_lines(rejects))
    return plan


def _changed(read: PartitionRead) -> tuple[list[PartitionResult], Counts, int] | None:
    """The results without a read of all rows, and the counts of rows before and after it.

    None if all rows must be read.
    """
    with _reading(read):
        changed = read.changed_results()
    if changed is None:
        return None
    results, before = changed
    _require_partitions(read, results)
    with _counting(read):
        after = count_rows(read.spark, read.connection, read.export, read.folder.name)
    rows, items = sum(r.rows for r in results), sum(r.items for r in results)
    if count_problems(str(read.export.relation), before, after, rows, items):
        read.discard("rows and keys did not add up: all rows were read")
        return None
    return results, before, after


def _all(read: PartitionRead) -> tuple[list[PartitionResult], Counts, int]:
    """The results of a read of all rows, the counts before it, and the rows after it."""
    spark, connection, export, run = read.spark, read.connection, read.export, read.folder.name
    types = {field.name: field.dataType for field in read.view.schema.fields}
    with _counting(read):
        first_count = count_groups_before(spark, connection, export, types, run)
    with _reading(read):
        results = read.results()
    _require_partitions(read, results)
    with _counting(read):
        before = first_count.result()
        after = count_rows(spark, connection, export, run)
        groups = sum(result.items for result in results)
        exactly = partial(count_groups_exactly, spark, connection, export, types, run)
        return results, reconcile_key_count(before, after, groups, exactly), after


def _require_partitions(read: PartitionRead, results: list[PartitionResult]) -> None:
    export = read.export
    facts = export.partition_column, export.partitions, results
    if problem := out_of_range_problem(*facts):
        without_key = out_of_range_problem(*facts, with_key=False)
        raise Refused(problem, f"export {export.name}", without_key)


@contextmanager
def _counting(read: PartitionRead) -> Iterator[None]:
    """Raise `PlanFailed` if the warehouse cannot count."""
    try:
        yield
    except Exception as error:
        _, cause = failures.failure(error)
        raise PlanFailed(
            f"cannot count the rows of {read.export.relation} in {read.connection} for export "
            f"{read.export.name}: {_explained(read, cause)}"
        ) from error


@contextmanager
def _reading(read: PartitionRead) -> Iterator[None]:
    """Raise `PlanFailed` with the partitions that failed."""
    export = read.export
    try:
        yield
    except Exception as error:
        task, cause = failures.failure(error)
        if cause.startswith("cannot "):  # a file of the storage
            raise PlanFailed(
                f"cannot plan export {export.name}: {reason(cause)}. Nothing was written: "
                "fix the cause, load again"
            ) from error
        tasks = [] if task is None else [task]
        if isinstance(error, Stalled):
            tasks = error.tasks
        partitions = " and ".join(_named(ids) for ids in map(read.ids, tasks) if ids)
        raise PlanFailed(
            f"cannot read {partitions or 'all partitions'} of {export.relation} from "
            f"{read.connection} for export {export.name}: {_explained(read, cause)}"
        ) from error


def _explained(read: PartitionRead, cause: str) -> str:
    """The cause and its remedy; a login that has become too old is named."""
    if refusal := read.connection.logins.refusal(cause):
        return f"{reason(cause)}: {refusal}"
    return f"{reason(cause)}. Nothing was written: fix the cause, load again"


def _named(ids: range) -> str:
    return f"partitions {ids[0]} to {ids[-1]}" if len(ids) > 1 else f"partition {ids[0]}"
