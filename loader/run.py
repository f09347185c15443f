"""The order of a run: check → plan → apply → report."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import datetime, timezone
from typing import TYPE_CHECKING, cast

from loader.apply import recovery
from loader.apply.job import apply_plan
from loader.apply.slice_outcome import APPLIED, SliceOutcome
from loader.background import in_background
from loader.dynamodb import table
from loader.dynamodb.table_rules import index_problems, table_problems
from loader.errors import Refused, subject_of
from loader.plan.inputs import Inputs, read_inputs
from loader.plan.job import plan_export
from loader.plan.result import Plan, load_plan
from loader.plan.tables import Tables, describe_tables
from loader.plan.view_check import View, check_view
from loader.report import next_command
from loader.report.files import PAGE_FILE, REPORT_FILE, save
from loader.report.run_context import RunContext, shown_settings, versions
from loader.report.timing import Stopwatch
from loader.report.totals import Report, reconcile
from loader.settings import Settings
from loader.spark import java, local, session
from loader.storage.changeset import CHANGES
from loader.storage.location import Location
from loader.storage.rejects import REJECT_SHARDS, Rejects
from loader.warehouse.connection import Connection

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from pyspark.sql import SparkSession

KILLED = "the driver ended first"


def start_spark(settings: Settings, packages: list[str]) -> SparkSession:
    log = Location(settings.storage).log_folder() / "spark.log"
    return session.start("loader", packages, settings.slots, log, settings.spark)


def plan(settings: Settings, names: Sequence[str]) -> list[Plan]:
    """Plan the exports; all are checked before the first one is read."""
    _, plans, _ = _plan(settings, names, Stopwatch())
    return plans


def load(settings: Settings, names: Sequence[str]) -> list[Report]:
    """Plan all exports, then apply them one after the other."""
    watch = Stopwatch()
    spark, plans, tables = _plan(settings, names, watch)
    # Without a client there is a problem, and `_plan` has raised it.
    dynamodb = cast("DynamoDBClient", tables.dynamodb)
    ready_tables = [_ready_table(settings, dynamodb, plan) for plan in plans]
    return [
        _apply(
            spark, settings, plan, run_folder(settings, plan.export, plan.run), ready_table, watch
        )
        for plan, ready_table in zip(plans, ready_tables, strict=True)
    ]


def load_changeset(settings: Settings, folder: Location) -> Report:
    """Apply a changeset that was kept, without the warehouse."""
    watch = Stopwatch()
    problems = list(
        filter(None, [folder.plain_text_problem(settings.allow_plain_http), java.java_problem()])
    )
    dynamodb = None
    try:
        dynamodb = table.client(settings.allow_plain_http)
    except Refused as refused:
        problems += refused.problems
    if problems or dynamodb is None:
        raise Refused(problems)
    plan = load_plan(folder)
    ready_table = _ready_table(settings, dynamodb, plan)
    watch.lap("check")
    spark = start_spark(settings, [])
    watch.lap("start")
    return _apply(spark, settings, plan, folder, ready_table, watch)


def recover(settings: Settings, folder: Location) -> Report:
    """The report of a run whose driver was killed, from the files that its tasks left."""
    if problem := folder.plain_text_problem(settings.allow_plain_http):
        raise Refused(problem)
    plan = load_plan(folder)
    try:
        outcomes = recovery.outcomes(plan, Rejects(folder, plan.run, plan.export), KILLED)
    except FileNotFoundError:
        raise Refused(
            f"a run must have its folder {CHANGES} to be recovered, got {folder} without it: "
            f"a complete run removes it; read its {REPORT_FILE}"
        ) from None
    context = RunContext(
        load_command=next_command.load_command(settings, plan.export),
        apply_command=next_command.apply_command(settings, str(folder)),
        apply_began=recovery.began(folder),
    )
    return _report(settings, plan, folder, outcomes, context)


def run_id(now: datetime) -> str:
    """The name of a run, and of its folder: its start in UTC, to the millisecond."""
    return now.strftime("%Y-%m-%dT%H-%M-%S-%f")[:-3] + "Z"


def run_folder(settings: Settings, export: str, run: str) -> Location:
    return Location(settings.storage) / export / "runs" / run


def _plan(
    settings: Settings, names: Sequence[str], watch: Stopwatch
) -> tuple[SparkSession, list[Plan], Tables]:
    """Check everything, then plan export by export; Spark starts while tables are described."""
    run = run_id(datetime.now(timezone.utc))
    inputs = read_inputs(settings, names)
    description = in_background(lambda: describe_tables(settings, inputs.exports))
    connection = inputs.connection
    if inputs.problems or connection is None:
        problems = [*inputs.problems, *inputs.failed_gates, *description.result().problems]
        raise Refused(problems, subject_of(e.name for e in inputs.exports))
    spark = start_spark(settings, [connection.driver.package])
    in_background(lambda: local.start_workers(spark, run))
    tables = description.result()
    watch.lap("start")
    views = _check_views(spark, settings, inputs, connection, tables, run)
    watch.lap("check")
    plans = []
    for export in inputs.exports:
        folder, view = run_folder(settings, export.name, run), views[export.name]
        plan = plan_export(spark, settings, connection, export, folder, view)
        plan.dbt_gate = inputs.gates[export.name]
        tables.add_estimate(plan, view.attribute_types, view.bulky_attributes)
        plan.save(folder)
        plans.append(plan)
    return spark, plans, tables


def _check_views(
    spark: SparkSession,
    settings: Settings,
    inputs: Inputs,
    connection: Connection,
    tables: Tables,
    run: str,
) -> dict[str, View]:
    """The view of each export; raises the problems of gates, tables and views together."""
    problems = [*inputs.failed_gates, *tables.problems]
    views: dict[str, View] = {}
    for export in inputs.exports:
        try:
            view = views[export.name] = check_view(spark, settings, connection, export, run)
        except Refused as refused:
            problems += refused.problems
            continue
        if description := tables.tables.get(export.name):
            problems += table_problems(description, view.key)
            problems += index_problems(description, view.attribute_types)
    if problems:
        raise Refused(problems, subject_of(e.name for e in inputs.exports))
    return views


def _ready_table(settings: Settings, dynamodb: DynamoDBClient, plan: Plan) -> table.ReadyTable:
    return table.ready(dynamodb, plan.table, plan.key, settings.create_table)


def _apply(
    spark: SparkSession,
    settings: Settings,
    plan: Plan,
    folder: Location,
    ready_table: table.ReadyTable,
    watch: Stopwatch,
) -> Report:
    """Apply one plan and save its report; the changeset of a complete run is removed."""
    # If this driver is killed, the report of an earlier apply must not be mistaken for its report.
    for name in (REPORT_FILE, PAGE_FILE):
        folder.remove(name)
    # Read before the apply, because the JVM may end during it.
    known_versions = versions(spark.version)
    began = time.time()
    outcomes, seconds = apply_plan(spark, settings, plan, folder, ready_table.endpoint)
    context = RunContext(
        start_seconds=round(watch.seconds["start"], 3),
        check_seconds=round(watch.seconds["check"], 3),
        apply_seconds=round(seconds, 3),
        apply_began=began,
        region=ready_table.endpoint.region,
        billing_mode=ready_table.billing_mode,
        settings=shown_settings(settings),
        versions=known_versions,
        load_command=next_command.load_command(settings, plan.export),
        apply_command=next_command.apply_command(settings, str(folder)),
    )
    report = _report(settings, plan, folder, outcomes, context)
    if report.complete and not settings.keep:
        for subfolder in (CHANGES, REJECT_SHARDS, APPLIED):
            (folder / subfolder).delete()
    return report


def _report(
    settings: Settings,
    plan: Plan,
    folder: Location,
    outcomes: list[SliceOutcome],
    context: RunContext,
) -> Report:
    """Save the report, and the list of rows and items that were not written."""
    rejects = Rejects(folder, plan.run, plan.export)
    shards = [outcome.reject_shard for outcome in outcomes if outcome.reject_shard]
    rejects.join([*plan.reject_shards, *shards], plan.keyless_lines(rejects))
    report = reconcile(plan, outcomes, str(folder), context, settings.max_rejects)
    save(report, folder)
    return report
