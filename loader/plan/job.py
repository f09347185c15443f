"""Spark job 1: check a view against its export, then read it into a changeset."""

import re

from pyspark.sql import SparkSession
from pyspark.sql.types import StructType

from loader import spark as sparks
from loader.errors import PlanFailed, Refused
from loader.exports import Export
from loader.plan import rows, warehouse
from loader.plan.result import PartitionPlan, Plan
from loader.plan.task import OUTCOME, PlanTask
from loader.profile import Connection
from loader.progress import Step
from loader.settings import Settings
from loader.storage.changeset import CHANGES
from loader.storage.location import Location

# What the drivers say when it is not the password.
TLS_FAILED = re.compile(r"\bSSL\b|\bPKIX\b|hostnameverifier")


def check(
    spark: SparkSession, settings: Settings, connection: Connection, export: Export
) -> list[tuple[str, str]]:
    """The key's names and type letters, once the view is known to have what the export needs."""
    if export.relation.database != connection.database:
        raise Refused(
            f"dbt manifest must be of the database that is read, got {export.relation.database} "
            f"and {connection.database}: run dbt with the same --target"
        )
    schema = _schema(spark, settings, connection, export)
    problems = rows.schema_problems(export, schema)
    if problems:
        raise Refused(problems)
    return list(zip(export.key, rows.key_letters(export, schema), strict=True))


def _schema(
    spark: SparkSession, settings: Settings, connection: Connection, export: Export
) -> StructType:
    """The types of the columns that the export needs; of all that there are if one is missing."""
    buffer = settings.fetch_ring_buffer
    try:
        return warehouse.read_schema(spark, connection, export.relation, buffer, export.columns)
    except Exception as error:
        _, cause = sparks.failure(error)
        refusal = Refused(_unreadable(connection, export, cause))
        if "does not exist" not in cause:
            raise refusal from error
        try:  # which columns there are is part of the message
            return warehouse.read_schema(spark, connection, export.relation, buffer)
        except Exception as again:
            raise refusal from again


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
    key: list[tuple[str, str]],
) -> Plan:
    """Read the export into a changeset in the run's folder; the folder's name is the run's.

    Raises `PlanFailed` when the read broke off, `Refused` when a row is in a wrong partition; the
    folder is gone then.
    """
    run = folder.name
    read = warehouse.ranges(export.partitions, settings.most_queries)
    frame = warehouse.read_rows(spark, connection, export, run, read, settings.fetch_ring_buffer)
    gathers = rows.gathers(export, frame.schema)
    task = PlanTask(folder / CHANGES, export.partition_column, export.partitions, gathers)
    step = Step("plan", export.partitions, "partitions")

    def show(queries: int) -> None:
        step.show(sum(len(read.ids(query)) for query in range(queries)))

    encoded = rows.encode_rows(frame, export)
    try:
        with sparks.watched(spark, f"{run} {export.name} plan", f"plan {export.name}", show):
            outcomes = encoded.mapInArrow(task, OUTCOME).collect()
    except KeyboardInterrupt:
        folder.delete()
        raise
    except Exception as error:
        step.broken()
        folder.delete()
        raise PlanFailed(_broken_read(connection, export, read, error)) from error
    accounts = [PartitionPlan.from_json(row.outcome) for row in outcomes]
    if misplaced := [account.misplaced for account in accounts if account.misplaced]:
        step.broken()
        folder.delete()
        raise Refused(misplaced, subject=f"export {export.name}")
    found = Plan(
        run=run,
        export=export.name,
        source=export.model,
        table=export.table,
        key=key,
        partitions=export.partitions,
        queries=read.queries,
        seconds=step.seconds,
        accounts=accounts,
    )
    found.save(folder)
    speed = found.rows / step.seconds
    step.end(export.partitions, f"{found.rows:,} rows · {speed:,.0f} rows/s")
    return found


def _broken_read(
    connection: Connection, export: Export, read: warehouse.Ranges, error: Exception
) -> str:
    query, cause = sparks.failure(error)
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
