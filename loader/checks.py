"""The check of exports: all their problems are found before the first row is read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from math import ceil
from secrets import token_hex
from typing import TYPE_CHECKING

from loader.apply.pacing import driver_place, port_problem
from loader.background import in_background
from loader.dbt.inputs import Inputs
from loader.dynamodb.table_rules import index_keys, index_problems, table_problems
from loader.errors import PlanFailed, Refused, subject_of
from loader.interruption import kept_handlers
from loader.items.export import Export
from loader.plan.continuation import record
from loader.plan.inputs import read_inputs
from loader.plan.job import plan_export
from loader.plan.known_state import known_state, shared_table_problems
from loader.plan.result import Plan
from loader.plan.same_rows import rows_version
from loader.plan.tables import Tables, describe_tables
from loader.plan.view_check import View, check_view
from loader.report.timing import Stopwatch
from loader.settings import Settings
from loader.spark import local, session
from loader.spark.driver_conf import driver_conf
from loader.spark.shared_storage import executor_problems
from loader.storage.location import Location
from loader.storage.unfinished import RUNS
from loader.warehouse.connection import Connection, Driver

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


def run_id(now: datetime) -> str:
    """The name of a run, and of its folder: its start in UTC, and random digits.

    Two runs of one export that start in the same millisecond have folders of their own.
    """
    return f"{now.strftime('%Y-%m-%dT%H-%M-%S-%f')[:-3]}Z-{token_hex(2)}"


def export_folder(settings: Settings, export: str) -> Location:
    return Location(settings.storage) / export


def run_folder(settings: Settings, export: str, run: str) -> Location:
    return export_folder(settings, export) / RUNS / run


def start_spark(settings: Settings) -> SparkSession:
    """The session of a command that does not read the warehouse.

    Raises `Refused` if tasks cannot run, do not see the storage or cannot ask for capacity.
    """
    spark = _start_spark(settings, [])
    if problems := _spark_problems(spark, settings):
        raise Refused(problems)
    return spark


def _start_spark(settings: Settings, drivers: list[Driver]) -> SparkSession:
    log = Location(settings.storage).log_folder() / "spark.log"
    with kept_handlers():
        return session.start(
            "loader",
            drivers,
            settings.local_slots,
            log,
            settings.spark,
            settings.stall_minutes * 60,
        )


def _spark_problems(spark: SparkSession, settings: Settings) -> list[str]:
    """Of the executors, and of a chosen port at which they ask the driver for capacity."""
    problems = executor_problems(spark, Location(settings.storage), settings.stall_minutes * 60)
    if settings.pace_port:
        place = driver_place(driver_conf(spark).properties, settings.pace_port)
        problems = [*problems, *filter(None, [port_problem(place)])]
    return problems


@dataclass
class Checked:
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
        """Read the export, compare it with its state, and save the plan."""
        folder, view = self.folder(export), self.views[export.name]
        identity, described = self.tables.identity(export)
        known = known_state(
            folder.parent.parent,
            described,
            identity,
            export.partitions,
            view.attribute_types,
            rows_version(export, view),
        )
        try:
            plan = plan_export(
                self.spark, self.settings, self.connection, export, folder, view, known
            )
        except PlanFailed:
            known.require_current()
            raise
        plan.dbt_gate = self.inputs.gates[export.name]
        plan.warehouse, plan.relation = str(self.connection), str(export.relation)
        plan.declared_capacity = export.write_capacity
        plan.role_arn, plan.external_id = export.role_arn, export.external_id
        record(plan, self.settings)
        plan.notes += [*view.notes, *self._held_back(plan)]
        self.tables.add_estimate(plan, folder, view.attribute_types, view.bulky_attributes)
        plan.save(folder)
        return plan

    def _held_back(self, plan: Plan) -> list[str]:
        """Hold back the deletes if some rows may be missing, unless exactly they are allowed."""
        if not plan.deletes or self.settings.allow_deletes == plan.deletes:
            return []
        if plan.keyless_rows:
            cause = f"{plan.keyless_rows:,} rows have no key and may be theirs: fix the rows"
        elif plan.source_changed:
            cause = "the model changed during the read: plan again"
        else:
            return []
        plan.hold_back_deletes()
        return [
            f"{plan.held_back:,} deletes are held back, because {cause}, or allow them with "
            f"--allow-deletes {plan.held_back}"
        ]


def check(
    settings: Settings,
    names: Sequence[str],
    watch: Stopwatch,
    begins: Callable[[str, Sequence[str]], None] = lambda run, exports: None,
) -> Checked:
    """Check everything; Spark starts while tables are described.

    `begins` is called with the run and the names of its exports before Spark starts.
    """
    run = run_id(datetime.now(timezone.utc))
    inputs = read_inputs(settings, names)
    description = in_background(
        lambda: describe_tables(settings, inputs.exports, inputs.tables, run)
    )
    connection = inputs.connection
    if inputs.problems or connection is None:
        problems = [*inputs.problems, *inputs.failed_gates, *description.result().problems]
        raise Refused(problems, subject_of(e.name for e in inputs.exports))
    begins(run, [export.name for export in inputs.exports])
    connection = replace(connection, statement_seconds=ceil(settings.stall_minutes * 60))
    spark = _start_spark(settings, [connection.driver])
    in_background(lambda: local.start_workers(spark, run))
    tables = description.result()
    watch.lap("start")
    views = _check_views(spark, settings, inputs, connection, tables, run)
    watch.lap("check")
    # The default target of the profile may be another one when a later command runs.
    settings = replace(settings, target=inputs.target)
    return Checked(settings, run, inputs, connection, spark, tables, views)


def _check_views(
    spark: SparkSession,
    settings: Settings,
    inputs: Inputs,
    connection: Connection,
    tables: Tables,
    run: str,
) -> dict[str, View]:
    """The view of each export; raises the problems of gates, tables and views together."""
    described = [export for export in inputs.exports if export.name in tables.tables]
    identities = {export.name: tables.identity(export)[0] for export in described}
    shared = shared_table_problems(Location(settings.storage), identities)
    # Before the views: then the executors have registered, whose slots limit the queries.
    of_spark = _spark_problems(spark, settings)
    problems = [*inputs.failed_gates, *tables.problems, *shared, *of_spark]
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
        # Exports may share one, such as that of the JDBC driver.
        raise Refused([*dict.fromkeys(problems)], subject_of(e.name for e in inputs.exports))
    return views
