"""Adoption: what a table has becomes the state of its export."""

from __future__ import annotations

import sys
import time
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from typing import Any

from loader import next_command
from loader.checks import run_id, start_spark
from loader.dynamodb.read_rate import limit_text
from loader.errors import ApplyFailed, Refused, StorageFailed, VersionConflict, subject_of
from loader.exported_table import ExportedTable, exported_table
from loader.interruption import deferred, set_message
from loader.items.column_mapping import attribute_names
from loader.items.digest import ENCODING
from loader.plan.discarded_plans import discarded_plans
from loader.plan.known_state import shared_table_problems
from loader.settings import Settings
from loader.storage.export_command import export_command
from loader.storage.location import Location
from loader.storage.lock import RunLock
from loader.storage.state_file import CURRENT_FILE, State, commit, read_state
from loader.storage.unfinished import RUNS, mark_committed
from loader.utc_time import utc_text
from loader.verify.scan_job import ScannedTable, ScanResult, scan_table


@dataclass(frozen=True)
class Adoption:
    """The state that was made of a table, and that it replaces: `replaced` are its keys, or None.

    `unfinished` are runs whose changes are no longer in doubt. `read_units` were consumed, at most
    `read_limit` per second; None: without a limit.
    """

    export: str
    table: str
    run: str
    serial: int
    keys: int
    bytes: int
    seconds: float
    read_units: float
    read_limit: float | None
    read_limit_source: str
    throttled: int
    replaced: int | None
    unfinished: list[str]
    load_command: str
    plan_command: str

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def adopt(settings: Settings, name: str) -> Adoption:
    """Scan the table of an export and commit what it has as the export's state.

    It replaces a state that is damaged too, and what is in doubt of unfinished runs. Raises
    `Refused`, `ReadFailed`, `ApplyFailed` or `StorageFailed`.
    """
    started = time.monotonic()
    run = run_id(datetime.now(timezone.utc))
    table = exported_table(settings, name, run)
    folder = table.folder / RUNS / run
    command = next_command.adopt_command(settings, name)
    with (
        RunLock(table.folder, name, run, command, settings.lock_seconds) as lock,
        discarded_plans() as folders,
    ):
        if problems := shared_table_problems(table.folder.parent, {name: table.identity}):
            raise Refused(problems, subject_of([name]))
        before, version = _replaced(table.folder)
        folders.append(folder)
        spark = start_spark(settings)
        attributes = attribute_names(table.export)
        capacity = settings.read_capacity or table.export.read_capacity
        scanned = ScannedTable(
            table.dynamodb, table.endpoint, table.description, attributes, capacity
        )
        scan = scan_table(spark, settings, scanned, table.folder, folder)
        lock.require(export_command(table.folder, "state adopt"))
        with deferred():
            state = _state(table, scan, run, before)
            _commit(table.folder, folder, state, version, folders)
            set_message(
                f"interrupted: the state of export {name} is what table {table.export.table} had "
                f"(serial {state.serial})"
            )
    return Adoption(
        export=name,
        table=table.export.table,
        run=run,
        serial=state.serial,
        keys=state.keys,
        bytes=scan.bytes,
        seconds=round(time.monotonic() - started, 3),
        read_units=scan.consumed,
        read_limit=scan.limit,
        read_limit_source=scan.limit_source,
        throttled=scan.throttled,
        replaced=before.keys if before and before.serial else None,
        unfinished=list(before.unfinished) if before else [],
        load_command=next_command.load_command(settings, name),
        plan_command=next_command.plan_command(settings, name),
    )


def _replaced(folder: Location) -> tuple[State | None, str | None]:
    """The state and its version; of a damaged one only its version."""
    try:
        return read_state(folder)
    except Refused:
        return None, folder.read_version(CURRENT_FILE)[1]


def _state(table: ExportedTable, scan: ScanResult, run: str, before: State | None) -> State:
    now = utc_text(datetime.now(timezone.utc))
    return State(
        serial=before.serial + 1 if before else 1,
        run=run,
        export=table.export.name,
        identity=asdict(table.identity),
        key=table.description.key,
        partitions=table.export.partitions,
        encoding=ENCODING,
        attributes={},
        committed=now,
        parts=tuple(part for part in scan.parts if part.keys),
        adopted=True,
    )


def _commit(
    home: Location, folder: Location, state: State, version: str | None, folders: list[Location]
) -> None:
    """Make this the state; `folder` has its files, and is one of the `folders` to remove.

    It is removed only if another run was committed: after any other end, the state may be this one.
    """
    folders.remove(folder)
    try:
        commit(home, state, version)
    except VersionConflict as conflict:
        folders.append(folder)
        raise ApplyFailed(
            f"cannot adopt table {state.identity['name']} for export {state.export}: another run "
            f"was committed meanwhile ({conflict}). Nothing was written: adopt it again"
        ) from conflict
    try:
        mark_committed(folder, state.serial)
    except StorageFailed as error:
        print(
            f"warning: the adoption is committed, but cannot be marked so: {error}", file=sys.stderr
        )


def adoption_lines(adoption: Adoption) -> list[str]:
    """The keys that were taken, and what follows from them."""
    lines = [
        f"{adoption.export}   adopted {adoption.keys:,} keys of table {adoption.table}   "
        f"{adoption.seconds:.1f} s   run {adoption.run}",
        f"  read       {adoption.bytes:,} bytes, {adoption.read_units:,.0f} read units, "
        f"{limit_text(adoption.read_limit, adoption.read_limit_source)}",
        f"  state      serial {adoption.serial}, "
        + ("the first" if adoption.replaced is None else f"replaces {adoption.replaced:,} keys"),
    ]
    if adoption.unfinished:
        lines.append(f"  settled    what was in doubt of {', '.join(adoption.unfinished)}")
    return [
        *lines,
        "The next load deletes the keys that the model does not have, within its limits. "
        "See them first:",
        f"  {adoption.plan_command}",
    ]
