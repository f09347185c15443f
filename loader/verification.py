"""The order of a verification: expected items → the items of the table → what differs → report."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from loader import next_command
from loader.checks import check, export_folder, run_id, start_spark
from loader.dynamodb.identity import TableIdentity, identity_problem
from loader.dynamodb.table_rules import missing_table
from loader.errors import PlanFailed, ReadFailed, Refused, subject_of
from loader.exported_table import exported_table
from loader.items.column_mapping import attribute_names
from loader.plan.discarded_plans import discarded_plans
from loader.plan.job import plan_export
from loader.plan.known_state import known_state
from loader.plan.redistribution import rows_of_state
from loader.report.past_runs import past_run
from loader.report.timing import Stopwatch
from loader.settings import Settings
from loader.storage.location import Location
from loader.storage.lock_file import LOCK_FILE
from loader.storage.prune import VERIFY
from loader.storage.state_file import read_state
from loader.storage.state_part import StatePart
from loader.storage.unfinished import RUNS
from loader.verify.comparison import state_rows
from loader.verify.expected import Activity, Expected
from loader.verify.scan_job import ScannedTable
from loader.verify.verdict import comparing, verdict
from loader.verify.verify_report import VerifyReport

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


def verify(
    settings: Settings, name: str, against_state: bool = False, sample: float | None = None
) -> VerifyReport:
    """Compare the table of an export with its model, or with its state; writes no item.

    `sample` is a share, 0 to 1, of the keys to compare. Raises `Refused`, `PlanFailed` or
    `ReadFailed`.
    """
    started = time.monotonic()
    expect = _state if against_state else _model
    with discarded_plans() as folders:
        spark, expected = expect(settings, name, folders)
        if sample is not None and expected.unfinished:
            raise Refused(
                f"export {name} must have no unfinished run for a sample of its state, got "
                f"{', '.join(expected.unfinished)}: finish it with `loader resume {name}`",
                subject_of([name]),
            )
        files = _Files(expected.home, expected.parts, expected.unfinished)
        with _uncommitted(expected.table.description.name, expected.before, files):
            report = verdict(spark, settings, expected, sample)
        after = _activity(expected.home)
    return replace(
        report,
        seconds=round(time.monotonic() - started, 3),
        loaded_meanwhile=expected.before != after or after.is_locked,
    )


def _activity(folder: Location) -> Activity:
    """What a load of the export changes, in the folder of the export."""
    try:
        state, _ = read_state(folder)
    except Refused:
        state = None
    serial, run = (state.serial, state.run) if state else (0, "")
    return Activity(serial, run, folder.exists(LOCK_FILE))


@dataclass(frozen=True)
class _Files:
    """The files that a verification reads until its end; `home` is the folder of the export."""

    home: Location
    parts: Sequence[StatePart]
    unfinished: Sequence[str]

    def are_removed(self) -> bool:
        """Whether the commit of another run has removed one: it removes all unfinished changes."""
        return bool(self.unfinished) or not all(self.home.exists(p.file) for p in self.parts)


@contextmanager
def _uncommitted(table: str, before: Activity, files: _Files) -> Iterator[None]:
    """Say so if the block fails because another run was committed, which removes old files.

    A verification takes no lock.
    """
    try:
        yield
    except Exception as error:
        now = _activity(files.home)
        if now.committed_since(before) and files.are_removed():
            raise _committed(table, now) from error
        raise


def _committed(table: str, now: Activity) -> ReadFailed:
    return ReadFailed(
        f"cannot verify table {table}: another run ({now.run or 'none'}) was committed during the "
        "verification. Nothing was written: verify again"
    )


def _model(settings: Settings, name: str, folders: list[Location]) -> tuple[SparkSession, Expected]:
    """The items of a plan that is compared with no state. dbt's tests need not have passed."""
    checked = check(replace(settings, skip_dbt_gate=True), [name], Stopwatch())
    (export,) = checked.inputs.exports
    description = checked.tables.tables[name]
    if description is None:
        raise Refused(missing_table(export.table), subject_of([name]))
    home = export_folder(settings, name)
    folder = home / VERIFY / checked.run
    folders.append(folder)
    before = _activity(home)
    view = checked.views[name]
    plan = plan_export(checked.spark, checked.settings, checked.connection, export, folder, view)
    parts = tuple(result.state for result in plan.partition_results if result.state)
    service = checked.tables.services[name]
    table = ScannedTable(
        service.dynamodb,
        service.endpoint(export.table),
        description,
        tuple(view.attribute_types),
        settings.read_capacity or export.read_capacity,
    )
    changed = "the model changed during the read: verify again" if plan.source_changed else ""
    return checked.spark, Expected(
        export=name,
        run=checked.run,
        home=home,
        folder=folder,
        table=table,
        of=f"{export.model}, {plan.rows:,} rows",
        before=before,
        keys=sum(part.keys for part in parts),
        rows=state_rows(checked.spark, home, parts),
        parts=parts,
        plan=plan,
        split=export.split,
        notes=(changed,) if changed else (),
        next_commands=next_commands(replace(settings, target=checked.settings.target), name),
    )


def _state(settings: Settings, name: str, folders: list[Location]) -> tuple[SparkSession, Expected]:
    """The committed state, with what unfinished runs have written; does not read the warehouse."""
    run = run_id(datetime.now(timezone.utc))
    table = exported_table(settings, name, run)
    before = _activity(table.folder)
    state, _ = read_state(table.folder)
    if state is None or not (state.serial or state.unfinished):
        raise Refused(
            f"export {name} must have a state to compare with, got none in {table.folder}: "
            "load it, or compare the table with the model",
            subject_of([name]),
        )
    of_state = TableIdentity(**state.identity) if state.serial else table.identity
    if problem := identity_problem(of_state, table.identity):
        raise Refused(problem, subject_of([name]))
    try:
        known = known_state(
            table.folder, table.description, table.identity, state.partitions, state.attributes
        )
    except PlanFailed as committed:
        raise _committed(table.description.name, _activity(table.folder)) from committed
    if (known.serial, known.run) != (state.serial, state.run):
        raise _committed(table.description.name, _activity(table.folder))
    spark = start_spark(settings)
    folder = table.folder / VERIFY / run
    folders.append(folder)
    from pyspark.sql.functions import lit

    rows = rows_of_state(spark, known, None)
    rows = rows.select("key", "digest", lit(None).cast("int").alias("place"))
    attributes = tuple(state.attributes) or attribute_names(table.export)
    of, keys = f"run {state.run} (serial {state.serial})", state.keys
    if known.folded:
        described = table.description.name
        files = _Files(table.folder, state.parts, known.folded)
        with _uncommitted(described, before, files), comparing(described, of):
            keys = rows.count()
    return spark, Expected(
        export=name,
        run=run,
        home=table.folder,
        folder=folder,
        table=ScannedTable(
            table.dynamodb,
            table.endpoint,
            table.description,
            attributes,
            settings.read_capacity or table.export.read_capacity,
        ),
        of=of,
        before=before,
        keys=keys,
        rows=rows,
        parts=state.parts,
        unfinished=known.folded,
        notes=known.notes,
        next_commands=next_commands(settings, name),
    )


def next_commands(settings: Settings, name: str) -> tuple[str, ...]:
    """After these the table has what the model has: only what differs is written.

    A load after an adoption would hold back the deletes that the last one has held back.
    """
    load = f"Then write what differs:  {next_command.load_command(settings, name)}"
    if held_back := _held_back(export_folder(settings, name)):
        return (*held_back, load)
    adopt = next_command.adopt_command(settings, name)
    return (f"Take what the table has as its state:  {adopt}", load)


def _held_back(folder: Location) -> list[str]:
    """What the committed run says of the deletes that it has held back."""
    try:
        state, _ = read_state(folder)
    except Refused:
        return []
    report = past_run(folder / RUNS / state.run).report if state and state.run else None
    notes = report["notes"] if report and report.get("held_back") else []
    return [f"The last load left some out:  {note}" for note in notes if "held back" in note]
