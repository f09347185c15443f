"""The order of a run: check → plan → apply → report."""

from __future__ import annotations

import secrets
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from math import ceil
from typing import TYPE_CHECKING, Any

from loader import next_command
from loader.apply import recovery
from loader.background import in_background
from loader.dynamodb import table
from loader.dynamodb.table_rules import index_keys, index_problems, table_problems
from loader.errors import LoaderError, Refused, reason, subject_of
from loader.interruption import deferred, ending, kept_handlers
from loader.items.export import Export
from loader.items.table_name import region_of
from loader.plan.continuation import continued, record
from loader.plan.inputs import Inputs, read_inputs
from loader.plan.job import plan_export
from loader.plan.result import Plan, load_plan
from loader.plan.tables import Tables, describe_tables, ready_table
from loader.plan.view_check import View, check_view
from loader.publish import PlannedApply, save_report
from loader.report.files import REPORT_FILE
from loader.report.run_context import RunContext, shown_settings, versions
from loader.report.timing import Stopwatch
from loader.report.totals import Report
from loader.settings import Settings
from loader.spark import local, processes, session
from loader.spark.problems import start_problems
from loader.storage.changeset import CHANGES
from loader.storage.location import Location
from loader.storage.rejects import Rejects
from loader.warehouse.connection import Connection, Driver

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from pyspark.sql import SparkSession

KILLED = "the driver ended first"


def start_spark(settings: Settings, drivers: list[Driver]) -> SparkSession:
    log = Location(settings.storage).log_folder() / "spark.log"
    with kept_handlers():
        return session.start("loader", drivers, settings.slots, log, settings.spark)


def plan(
    settings: Settings, names: Sequence[str], ended: Callable[[Plan | LoaderError], None]
) -> None:
    """Plan the exports; all are checked before the first one is read.

    `ended` gets each plan, or why there is none, as soon as it is known.
    """
    with _discarded_plans() as folders:
        checked = _check(settings, names, Stopwatch())
        for export in checked.inputs.exports:
            folder = checked.folder(export)
            folders.append(folder)
            try:
                plan = checked.plan(export)
            except LoaderError as error:
                ended(error)
                continue
            with deferred():
                folders.remove(folder)
                ended(plan)


def load(
    settings: Settings, names: Sequence[str], ended: Callable[[Report | LoaderError], None]
) -> None:
    """Plan all exports, then apply them one after the other.

    `ended` gets each report, or why there is none, as soon as it is known.
    """
    watch = Stopwatch()
    with _discarded_plans() as folders:
        checked = _check(settings, names, watch)
        plans = []
        for export in checked.inputs.exports:
            folders.append(checked.folder(export))
            plans.append(checked.plan(export))
        ready_tables = [
            ready_table(settings, checked.tables.service(plan.table).dynamodb, plan, folder)
            for plan, folder in zip(plans, folders, strict=True)
        ]
        known_versions = versions(checked.spark.version)
        for number, (plan, ready) in enumerate(zip(plans, ready_tables, strict=True)):
            apply = PlannedApply(
                checked.spark, checked.settings, plan, folders[0], ready, watch, known_versions
            )
            waiting = [plan.export for plan in plans[number + 1 :]]
            apply.run(folders, waiting, ended)


def load_changeset(
    settings: Settings,
    folder: Location,
    given: Mapping[str, Any],
    ended: Callable[[Report | LoaderError], None],
) -> None:
    """Apply a changeset that was kept, without the warehouse.

    Options that are not `given` are those of the plan.
    """
    watch = Stopwatch()
    problems = start_problems(settings.spark, (), Location(settings.storage).local_folder())
    plan: Plan | None = None
    dynamodb: DynamoDBClient | None = None
    try:
        # Read the storage only if its endpoint is allowed.
        if problem := folder.plain_text_problem(settings.allow_plain_http):
            raise Refused(problem)
        plan = load_plan(folder)
    except Refused as refused:
        problems += refused.problems
    try:
        region = region_of(plan.table) if plan else None
        dynamodb = table.client(settings.allow_plain_http, region)
    except Refused as refused:
        problems += refused.problems
    if problems or plan is None or dynamodb is None:
        raise Refused(problems)
    _require_changes(plan, folder)
    settings = continued(plan, given)
    ready = ready_table(settings, dynamodb, plan, folder)
    watch.lap("check")
    with _discarded_plans() as folders:
        spark = start_spark(settings, [])
        watch.lap("start")
        known_versions = versions(spark.version)
        apply = PlannedApply(spark, settings, plan, folder, ready, watch, known_versions)
        apply.run(folders, [], ended)


def _require_changes(plan: Plan, folder: Location) -> None:
    """Raise `Refused` if the changeset is gone."""
    for part in plan.parts[:1]:
        try:
            with (folder / CHANGES).open(part.file):
                return
        except FileNotFoundError:
            raise Refused(
                f"a run must have its folder {CHANGES} to be applied, got {folder} without it: "
                f"a complete run removes it; read its {REPORT_FILE}, or plan again"
            ) from None


def recover(settings: Settings, folder: Location, given: Mapping[str, Any]) -> Report:
    """The report of a run whose driver was killed, from the files that its tasks left."""
    if problem := folder.plain_text_problem(settings.allow_plain_http):
        raise Refused(problem)
    plan = load_plan(folder)
    settings = continued(plan, given, once=())
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
        recovered=True,
        region=plan.region,
        settings=shown_settings(settings),
    )
    return save_report(settings, plan, folder, outcomes, context)


def run_id(now: datetime) -> str:
    """The name of a run, and of its folder: its start in UTC, and random digits.

    Two runs of one export that start in the same millisecond have folders of their own.
    """
    return f"{now.strftime('%Y-%m-%dT%H-%M-%S-%f')[:-3]}Z-{secrets.token_hex(2)}"


def run_folder(settings: Settings, export: str, run: str) -> Location:
    return Location(settings.storage) / export / "runs" / run


@dataclass
class _Checked:
    """Exports without a problem, and what their plans need."""

    settings: Settings
    run: str
    inputs: Inputs
    connection: Connection
    spark: SparkSession
    tables: Tables
    views: dict[str, View]

    def folder(self, export: Export) -> Location:
        return run_folder(self.settings, export.name, self.run)

    def plan(self, export: Export) -> Plan:
        folder, view = self.folder(export), self.views[export.name]
        plan = plan_export(self.spark, self.settings, self.connection, export, folder, view)
        plan.dbt_gate = self.inputs.gates[export.name]
        plan.warehouse, plan.relation = str(self.connection), str(export.relation)
        record(plan, self.settings)
        self.tables.add_estimate(plan, folder, view.attribute_types, view.bulky_attributes)
        plan.save(folder)
        return plan


def _check(settings: Settings, names: Sequence[str], watch: Stopwatch) -> _Checked:
    """Check everything; Spark starts while tables are described."""
    run = run_id(datetime.now(timezone.utc))
    inputs = read_inputs(settings, names)
    description = in_background(lambda: describe_tables(settings, inputs.exports, inputs.tables))
    connection = inputs.connection
    if inputs.problems or connection is None:
        problems = [*inputs.problems, *inputs.failed_gates, *description.result().problems]
        raise Refused(problems, subject_of(e.name for e in inputs.exports))
    connection = replace(connection, statement_seconds=ceil(settings.stall_minutes * 60))
    spark = start_spark(settings, [connection.driver])
    in_background(lambda: local.start_workers(spark, run))
    tables = description.result()
    watch.lap("start")
    views = _check_views(spark, settings, inputs, connection, tables, run)
    watch.lap("check")
    # The default target of the profile may be another one when a later command runs.
    settings = replace(settings, target=inputs.target)
    return _Checked(settings, run, inputs, connection, spark, tables, views)


@contextmanager
def _discarded_plans() -> Iterator[list[Location]]:
    """The folders of plans; those that are left at the end are removed with their files.

    Tasks write files until their processes have ended, so the Spark of a run that breaks off is
    ended first, unless another program has started it.
    """
    folders: list[Location] = []
    ours, broken = not session.is_running(), False
    try:
        with ending(processes.end if ours else None):
            yield folders
    except BaseException as error:
        broken = not isinstance(error, LoaderError)
        raise
    finally:
        with deferred():
            if ours and (broken or folders):
                processes.end()
            for folder in folders:
                _remove(folder)


def _remove(folder: Location) -> None:
    try:
        folder.delete()
    except Exception as error:  # noqa: BLE001  the other folders are removed too
        cause = getattr(error, "cause", None) or reason(error)
        print(
            f"cannot remove {folder}: {cause}. It has rows of the export: remove it",
            file=sys.stderr,
        )


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
            views[export.name] = replace(view, index_keys=index_keys(description))
    if problems:
        raise Refused(problems, subject_of(e.name for e in inputs.exports))
    return views
