"""check → plan → apply → report: the only place that knows the order."""

import time
from collections.abc import Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, cast

from pyspark.sql import SparkSession

from loader.apply import recovery as applied
from loader.apply.job import apply_plan
from loader.apply.outcome import APPLIED, SliceOutcome
from loader.background import Background
from loader.dynamodb import table as tables
from loader.dynamodb.checks import index_problems, table_problems
from loader.errors import Refused
from loader.items.export import Export
from loader.plan.inputs import read_inputs
from loader.plan.job import View, check, plan_export
from loader.plan.result import Plan, load_plan
from loader.plan.tables import Tables, describe_tables
from loader.report import next_step
from loader.report.context import RunContext, shown_settings, versions
from loader.report.files import FILE, PAGE, save
from loader.report.timing import Stopwatch
from loader.report.totals import Report, account
from loader.settings import Settings
from loader.spark import java, session
from loader.storage.changeset import CHANGES
from loader.storage.location import Location
from loader.storage.rejects import PARTS, Rejects

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

KILLED = "a driver that ended before its tasks did"


def start_spark(settings: Settings, packages: list[str]) -> SparkSession:
    folder = Location(settings.storage)
    log = Path(".loader" if folder.is_s3 else settings.storage) / "spark.log"
    return session.start("loader", packages, settings.slots, log, settings.spark)


def plan(settings: Settings, names: Sequence[str]) -> list[Plan]:
    """Plan the exports; every one is checked before the first is read."""
    return _plan(settings, names, Stopwatch())[0]


def _plan(settings: Settings, names: Sequence[str], watch: Stopwatch) -> tuple[list[Plan], Tables]:
    run = run_id(datetime.now(timezone.utc))
    source = read_inputs(settings, names)
    opening = Background(lambda: describe_tables(settings, source.exports))
    if source.problems or source.connection is None:
        problems = [*source.problems, *source.failed_gates, *opening.result().problems]
        raise Refused(problems, subject=_subject(source.exports))
    spark = start_spark(settings, [source.connection.driver.package])
    Background(lambda: session.start_workers(spark, run))
    targets = opening.result()
    problems = [*source.failed_gates, *targets.problems]
    watch.lap("start")
    views: dict[str, View] = {}
    for export in source.exports:
        try:
            view = views[export.name] = check(spark, settings, source.connection, export, run)
        except Refused as refused:
            problems += refused.problems
            continue
        if table := targets.tables.get(export.name):
            problems += table_problems(table, view.key)
            problems += index_problems(table, view.attribute_types)
    if problems:
        raise Refused(problems, subject=_subject(source.exports))
    watch.lap("check")
    plans = []
    for export in source.exports:
        folder, view = run_folder(settings, export.name, run), views[export.name]
        found = plan_export(spark, settings, source.connection, export, folder, view)
        found.dbt_gate = source.gates[export.name]
        targets.add_estimate(found, view.attribute_types, view.bulky_attributes)
        found.save(folder)
        plans.append(found)
    return plans, targets


def run_id(now: datetime) -> str:
    """The name of a run: its start in UTC, to the millisecond, fit to be a folder's name."""
    return now.strftime("%Y-%m-%dT%H-%M-%S-%f")[:-3] + "Z"


def _subject(exports: Sequence[Export]) -> str:
    names = ", ".join(export.name for export in exports)
    return f"export{'s' if len(exports) > 1 else ''} {names}" if names else "the run"


def run_folder(settings: Settings, export: str, run: str) -> Location:
    return Location(settings.storage) / export / "runs" / run


def load(settings: Settings, names: Sequence[str]) -> list[Report]:
    """Plan all exports, then apply them one by one."""
    watch = Stopwatch()
    plans, targets = _plan(settings, names, watch)
    # A problem with the client would have ended the plan.
    dynamodb = cast("DynamoDBClient", targets.dynamodb)
    found = [_table(settings, dynamodb, planned) for planned in plans]
    return [
        _apply(settings, planned, run_folder(settings, planned.export, planned.run), table, watch)
        for planned, table in zip(plans, found, strict=True)
    ]


def load_changeset(settings: Settings, folder: Location) -> Report:
    """Apply a changeset that was kept; the warehouse is not asked."""
    watch = Stopwatch()
    problems = list(
        filter(None, [folder.plain_text_problem(settings.allow_plain_http), java.java_problem()])
    )
    dynamodb = None
    try:
        dynamodb = tables.client(settings.allow_plain_http)
    except Refused as refused:
        problems += refused.problems
    if problems or dynamodb is None:
        raise Refused(problems)
    planned = load_plan(folder)
    table = _table(settings, dynamodb, planned)
    watch.lap("check")
    start_spark(settings, [])
    watch.lap("start")
    return _apply(settings, planned, folder, table, watch)


def _table(settings: Settings, dynamodb: "DynamoDBClient", planned: Plan) -> tables.ReadyTable:
    return tables.ready(dynamodb, planned.table, planned.key, settings.create_table)


def _apply(
    settings: Settings, planned: Plan, folder: Location, table: tables.ReadyTable, watch: Stopwatch
) -> Report:
    """Apply, account, save the report; the changeset goes when all of it is written."""
    spark = start_spark(settings, [])
    # Those of an earlier apply would be taken for this one's if its driver is killed.
    for name in (FILE, PAGE):
        folder.remove(name)
    # Asked for now: the JVM may end in the middle, and the report must not miss for that.
    known_versions = versions(spark.version)
    began = time.time()
    outcomes, seconds = apply_plan(spark, settings, planned, folder, table.endpoint)
    context = RunContext(
        start_seconds=round(watch.seconds["start"], 3),
        check_seconds=round(watch.seconds["check"], 3),
        apply_seconds=round(seconds, 3),
        apply_began=began,
        region=table.endpoint.region,
        billing_mode=table.billing_mode,
        settings=shown_settings(settings),
        versions=known_versions,
        load_command=next_step.load_command(settings, planned.export),
        apply_command=next_step.apply_command(settings, str(folder)),
    )
    report = _account(settings, planned, folder, outcomes, context)
    if report.complete and not settings.keep:
        for part in (CHANGES, PARTS, APPLIED):
            (folder / part).delete()
    return report


def account_of(settings: Settings, folder: Location) -> Report:
    """The account of a run whose driver was killed, from what its tasks left in its folder."""
    if problem := folder.plain_text_problem(settings.allow_plain_http):
        raise Refused(problem)
    planned = load_plan(folder)
    rejects = Rejects(folder, planned.run, planned.export)
    try:
        outcomes = applied.outcomes(planned, rejects, KILLED)
    except FileNotFoundError:
        raise Refused(
            f"the folder of a run must have its {CHANGES} to be accounted for, got {folder} "
            f"without: a complete run has removed them, read its {FILE}"
        ) from None
    context = RunContext(
        load_command=next_step.load_command(settings, planned.export),
        apply_command=next_step.apply_command(settings, str(folder)),
        apply_began=applied.began(folder),
    )
    return _account(settings, planned, folder, outcomes, context)


def _account(
    settings: Settings,
    planned: Plan,
    folder: Location,
    outcomes: list[SliceOutcome],
    context: RunContext,
) -> Report:
    """Add up, and save the report and the list of what was not written."""
    rejects = Rejects(folder, planned.run, planned.export)
    parts = [outcome.rejects_file for outcome in outcomes if outcome.rejects_file]
    rejects.join([*planned.rejects_files, *parts], planned.keyless_lines(rejects))
    report = account(planned, outcomes, str(folder), context, settings.max_rejects)
    save(report, folder)
    return report
