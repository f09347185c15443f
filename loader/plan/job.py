"""Spark job 1: check a view against its export, then read it into a changeset."""

import re
from dataclasses import dataclass

from pyspark.errors import AnalysisException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import types as T

from loader.background import Background
from loader.errors import PlanFailed, Refused
from loader.items.attribute_types import attribute_type
from loader.items.export import Export
from loader.items.rows import encode_rows
from loader.items.schema import collected_attributes, key_types, text_columns
from loader.items.schema_problems import schema_problems
from loader.plan.batch_size import batch_settings
from loader.plan.result import PartitionResult, Plan
from loader.plan.task import COLLISION, OUTCOME, PlanTask
from loader.settings import Settings
from loader.spark import failures, progress
from loader.spark.progress import Step
from loader.storage.changeset import CHANGES
from loader.storage.location import Location
from loader.storage.rejects import Rejects
from loader.warehouse.connection import Connection
from loader.warehouse.counts import (
    Counts,
    count_groups,
    count_problems,
    count_rows,
    reconcile_key_count,
)
from loader.warehouse.read import Ranges, ranges, read_rows, read_schema

# What the drivers say when it is not the password.
TLS_FAILED = re.compile(r"\bSSL\b|\bPKIX\b|hostnameverifier")


@dataclass(frozen=True)
class View:
    """What the check learnt of an export's view, and the read that is ready to begin.

    `key` has name and type letter of the key; `attribute_types` the type letter of every attribute
    of the export, the key's included; `bulky_attributes` are the attributes that make items large.
    """

    frame: DataFrame
    read: Ranges
    key: list[tuple[str, str]]
    attribute_types: dict[str, str]
    bulky_attributes: frozenset[str]


def check(
    spark: SparkSession, settings: Settings, connection: Connection, export: Export, run: str
) -> View:
    """The view, once it is known to have what the export needs; `Refused` if it has not.

    One statement that reads no row, by which Spark learns the types of the columns.
    """
    if export.relation.database != connection.database:
        raise Refused(
            f"dbt manifest must be of the database that is read, got {export.relation.database} "
            f"and {connection.database}: run dbt with the same --target"
        )
    read = ranges(export.partitions, settings.most_queries)
    try:
        frame = read_rows(spark, connection, export, run, read)
    except Exception as error:
        raise _refusal(spark, connection, export, error) from error
    schema = frame.schema
    if problems := schema_problems(export, schema):
        raise Refused(problems)
    key = list(zip(export.table_key, key_types(export, schema), strict=True))
    scalars = {n: attribute_type(schema[n].dataType) or "" for n in export.attributes}
    collected = {c.name: c.type for c in collected_attributes(export, schema)}
    attribute_types = {**dict(key), **scalars, **collected}
    return View(frame, read, key, attribute_types, frozenset(collected or scalars))


def _refusal(
    spark: SparkSession, connection: Connection, export: Export, error: Exception
) -> Refused:
    """Why the read cannot begin; which columns there are is part of the message.

    Spark itself objects to a partition column that is no number, the warehouse to a column that is
    not there.
    """
    _, cause = failures.failure(error)
    refusal = Refused(_unreadable(connection, export, cause))
    by_spark = isinstance(error, AnalysisException)
    if not by_spark and "does not exist" not in cause:
        return refusal
    columns = export.columns if by_spark else ()
    try:
        schema = read_schema(spark, connection, export.relation, columns)
    except Exception:  # noqa: BLE001 the first error says more
        return refusal
    return Refused(schema_problems(export, schema) or refusal.problems)


def _unreadable(connection: Connection, export: Export, cause: str) -> str:
    relation = export.relation
    if "does not exist" in cause and relation.identifier in cause:
        return (
            f"view {relation} must exist in {connection}, got none ({cause}): "
            f"run `dbt build --select {export.model}` with the same target"
        )
    if "UNRECOGNIZED_SQL_TYPE" in cause:
        return (
            f"columns of {relation} must be of types that Spark reads, got {cause}: "
            "cast them in the model (timestamptz: `moment at time zone 'UTC'`)"
        )
    remedy = "check host, port, user and password of the dbt target"
    if TLS_FAILED.search(cause):
        remedy = "check sslmode, host and certificate authority (docs/security.md)"
    return f"warehouse {connection} must answer as user {connection.user}, got {cause}: {remedy}"


def plan_export(
    spark: SparkSession,
    settings: Settings,
    connection: Connection,
    export: Export,
    folder: Location,
    view: View,
) -> Plan:
    """Read the export into a changeset in the run's folder; the folder's name is the run's.

    Raises `PlanFailed` when the read broke off or is not what the warehouse counted, `Refused`
    when a row is in a wrong partition; the folder is gone then.
    """
    step = Step("plan", export.partitions, "partitions")
    try:
        found = _read(spark, settings, connection, export, folder, view, step)
    except BaseException:
        step.broken()
        folder.delete()
        raise
    step.end(export.partitions, f"{found.rows:,} rows · {found.rows / step.seconds:,.0f} rows/s")
    return found


def _read(
    spark: SparkSession,
    settings: Settings,
    connection: Connection,
    export: Export,
    folder: Location,
    view: View,
    step: Step,
) -> Plan:
    run = folder.name
    types = {field.name: field.dataType for field in view.frame.schema.fields}

    def count(exactly: bool = False) -> Counts:
        return count_groups(spark, connection, export, types, run, exactly)

    counting = Background(count)
    _size_batches(spark, settings, view.frame.schema)
    partition_results = _read_partitions(spark, connection, export, folder, view, step)
    if out_of_range := [account for account in partition_results if account.out_of_range]:
        # NULL first, then by number.
        out_of_range.sort(
            key=lambda account: (account.partition is not None, account.partition or 0)
        )
        problems = [account.out_of_range for account in out_of_range]
        raise Refused(problems, subject=f"export {export.name}")
    try:
        before = counting.result()
        after = count_rows(spark, connection, export, run)
        groups = sum(account.items for account in partition_results)
        before = reconcile_key_count(before, after, groups, lambda: count(exactly=True))
    except Exception as error:
        _, cause = failures.failure(error)
        raise PlanFailed(
            f"{export.name}: rows of {export.relation} must be counted in {connection}, got "
            f"{cause}: nothing was written; run the load again when the cause is mended"
        ) from error
    found = Plan(
        run=run,
        export=export.name,
        source=export.model,
        table=export.table,
        key=view.key,
        partitions=export.partitions,
        queries=view.read.queries,
        seconds=step.seconds,
        partition_results=partition_results,
        warehouse_rows_before=before.rows,
        warehouse_keys=before.keys,
        warehouse_rows_after=after,
    )
    relation = str(export.relation)
    if wrong := count_problems(relation, before, after, found.rows, found.items):
        raise PlanFailed(f"{export.name}: {'; '.join([*wrong, 'nothing was written'])}")
    rejects = Rejects(folder, run, export.name)
    rejects.join(found.rejects_files, found.keyless_lines(rejects))
    return found


def _size_batches(spark: SparkSession, settings: Settings, schema: T.StructType) -> None:
    """What the user has set stays."""
    for name, value in batch_settings(schema).items():
        if name not in settings.spark:
            spark.conf.set(name, value)


def _read_partitions(
    spark: SparkSession,
    connection: Connection,
    export: Export,
    folder: Location,
    view: View,
    step: Step,
) -> list[PartitionResult]:
    """The account of each partition; `PlanFailed` when the read broke off."""
    schema = view.frame.schema
    task = PlanTask(
        folder / CHANGES,
        export.partition_column,
        export.partitions,
        collected_attributes(export, schema),
        Rejects(folder, folder.name, export.name),
        text_columns(export, schema),
    )

    def show(queries: int) -> None:
        step.show(sum(len(view.read.ids(query)) for query in range(queries)))

    group = f"{folder.name} {export.name} plan"

    def read(by_keys: bool) -> list[str]:
        encoded = encode_rows(view.frame, export, by_keys)
        with progress.watched(spark, group, f"plan {export.name}", show):
            return [row.outcome for row in encoded.mapInArrow(task, OUTCOME).collect()]

    try:
        outcomes = read(by_keys=False)
        if COLLISION in outcomes:
            task.changes.delete()
            outcomes = read(by_keys=True)
    except Exception as error:
        raise PlanFailed(_broken_read(connection, export, view.read, error)) from error
    return [PartitionResult.from_json(outcome) for outcome in outcomes]


def _broken_read(connection: Connection, export: Export, read: Ranges, error: Exception) -> str:
    query, cause = failures.failure(error)
    if query is None:
        where = f"all partitions of {export.relation}"
    else:
        ids = read.ids(query)
        plural = f"partitions {ids[0]} to {ids[-1]}" if len(ids) > 1 else f"partition {ids[0]}"
        where = f"{plural} of {export.relation}"
    return (
        f"{export.name}: {where} must be read to the end from {connection}, got {cause}: "
        "nothing was written; run the load again when the cause is mended"
    )
