"""plan → check → apply → commit: the only place that knows the order."""

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from pyspark.sql import SparkSession
from pyspark.sql.types import StructType

from loader import spark as sparks
from loader.apply import table as tables
from loader.apply.task import ApplyTask, SliceOutcome
from loader.errors import ApplyFailed, PlanFailed, Refused
from loader.exports import Export, read_manifest, select_exports
from loader.plan import rows, warehouse
from loader.plan.result import PartitionPlan, Plan, load_plan
from loader.plan.task import OUTCOME, PlanTask
from loader.profile import Connection, read_profile
from loader.progress import Step
from loader.report import Report, account
from loader.settings import Settings
from loader.storage.changeset import cut_slices
from loader.storage.location import Location

CHANGES = "changes"
# Enough slices that the last ones to run leave no slot idle for long, not so many that starting
# them costs: a slice of 5,000 write units takes about a second.
SLICES_PER_SLOT = 4
SLICE_WRITE_UNITS = 1_000


@dataclass(frozen=True)
class Source:
    """What a plan needs to know of the outside before it starts."""

    connection: Connection
    exports: tuple[Export, ...]


def open_source(settings: Settings, names: Sequence[str]) -> Source:
    """Exports and connection; all problems of both at once, with that of a missing Java."""
    problems: list[str] = []
    exports: list[Export] = []
    connection: Connection | None = None
    try:
        exports = select_exports(read_manifest(settings.project_dir), names)
    except Refused as refused:
        problems += refused.problems
    try:
        connection = read_profile(settings.project_dir, settings.profiles_dir, settings.target)
    except Refused as refused:
        problems += refused.problems
    if problem := sparks.java_problem():
        problems.append(problem)
    if problems or connection is None:
        raise Refused(problems)
    return Source(connection, tuple(exports))


def start_spark(settings: Settings, packages: list[str], slots: int) -> SparkSession:
    folder = Location(settings.storage)
    log = Path(".loader" if folder.is_s3 else settings.storage) / "spark.log"
    return sparks.start("loader", packages, slots, log, settings.spark)


def plan(settings: Settings, names: Sequence[str]) -> list[Plan]:
    """Plan the exports; every one is checked before the first is read."""
    source = open_source(settings, names)
    dynamodb = tables.client()
    described = {e.name: tables.describe(dynamodb, e.table) for e in source.exports}
    problems = [
        tables.missing(export.table)
        for export in source.exports
        if described[export.name] is None and not settings.create_table
    ]
    slots = max(settings.queries, os.cpu_count() or 1)
    spark = start_spark(settings, [source.connection.driver.package], slots)
    keys = {}
    for export in source.exports:
        try:
            keys[export.name] = _check(spark, settings, source.connection, export)
        except Refused as refused:
            problems += refused.problems
            continue
        table = described[export.name]
        if table is not None:
            problems += tables.key_problems(table, keys[export.name])
    if problems:
        raise Refused(problems, subject=_subject(source.exports))
    run = run_id(datetime.now(timezone.utc))
    return [
        _plan_export(spark, settings, source.connection, export, run, keys[export.name])
        for export in source.exports
    ]


def run_id(now: datetime) -> str:
    """The name of a run: its start in UTC, to the millisecond, fit to be a folder's name."""
    return now.strftime("%Y-%m-%dT%H-%M-%S-%f")[:-3] + "Z"


def _subject(exports: Sequence[Export]) -> str:
    return f"export{'s' if len(exports) > 1 else ''} {', '.join(e.name for e in exports)}"


def _check(
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
    return (
        f"warehouse {connection} must answer as user {connection.user}, got {cause}: "
        "check host, port, user and password of the dbt target"
    )


def _plan_export(
    spark: SparkSession,
    settings: Settings,
    connection: Connection,
    export: Export,
    run: str,
    key: list[tuple[str, str]],
) -> Plan:
    read = warehouse.ranges(export.partitions, settings.queries)
    frame = warehouse.read_rows(spark, connection, export, run, read, settings.fetch_ring_buffer)
    folder = run_folder(settings, export.name, run)
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


def run_folder(settings: Settings, export: str, run: str) -> Location:
    return Location(settings.storage) / export / "runs" / run


def load(settings: Settings, names: Sequence[str]) -> list[Report]:
    """Plan all exports, then apply them one by one."""
    plans = plan(settings, names)
    dynamodb = tables.client()
    for planned in plans:
        if settings.create_table and tables.describe(dynamodb, planned.table) is None:
            tables.create(dynamodb, planned.table, planned.key)
    return [
        apply(settings, planned, run_folder(settings, planned.export, planned.run))
        for planned in plans
    ]


def load_changeset(settings: Settings, folder: Location) -> Report:
    """Apply a changeset that was kept; the warehouse is not asked."""
    if problem := sparks.java_problem():
        raise Refused(problem)
    planned = load_plan(folder)
    table = tables.describe(tables.client(), planned.table)
    if table is None:
        if not settings.create_table:
            raise Refused(tables.missing(planned.table))
        tables.create(tables.client(), planned.table, planned.key)
    elif problems := tables.key_problems(table, planned.key):
        raise Refused(problems)
    return apply(settings, planned, folder)


def apply(settings: Settings, planned: Plan, folder: Location) -> Report:
    """Write the changeset in slices of equal write units, and account for every change."""
    slots = max(settings.queries, os.cpu_count() or 1)
    spark = start_spark(settings, [], slots)
    endpoint = tables.endpoint(tables.client(), planned.table)
    most = -(-planned.write_units // SLICE_WRITE_UNITS)
    slices = cut_slices(planned.parts, min(slots * SLICES_PER_SLOT, most))
    task = ApplyTask(folder / CHANGES, endpoint, settings.requests, settings.retry_seconds)
    step = Step("apply", planned.changes, "items")

    def show(done: int) -> None:
        step.show(planned.changes * done // max(1, len(slices)))

    outcomes: list[SliceOutcome] = []
    if slices:
        try:
            group = f"{planned.run} {planned.export} apply"
            with sparks.watched(spark, group, f"apply {planned.export}", show):
                pieces = spark.sparkContext.parallelize(slices, len(slices))
                outcomes = pieces.map(task).collect()
        except KeyboardInterrupt:
            step.broken()
            again = f"write them again with `loader load --changeset {folder}`"
            print(f"the changes of {folder} are written in part: {again}", file=sys.stderr)
            raise
        except Exception as error:
            step.broken()
            _, cause = sparks.failure(error)
            raise ApplyFailed(
                f"{planned.export}: the changes of {folder} must all be sent to table "
                f"{planned.table}, got {cause}: what was written is unknown; "
                f"write them again with `loader load --changeset {folder}`"
            ) from error
    report = account(planned, outcomes, str(folder), step.seconds)
    report.save(folder)
    speed = report.put / step.seconds
    step.end(report.put, f"{speed:,.0f} items/s · {report.throttled:,} throttled")
    if report.complete and not settings.keep:
        (folder / CHANGES).delete()
    return report
