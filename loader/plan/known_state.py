"""What is known of a table before a plan: its committed state and the runs that did not commit."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace

from loader.dynamodb.description import TableDescription
from loader.dynamodb.identity import TableIdentity, identity_problem
from loader.errors import PlanFailed, Refused
from loader.items.digest import ENCODING
from loader.storage.export_command import export_command
from loader.storage.location import Location
from loader.storage.prior import Overlay, PriorPart
from loader.storage.state_file import State, read_state
from loader.storage.state_part import StatePart
from loader.storage.unfinished import COMMITTED, RUNS, Unfinished, unfinished_runs


@dataclass(frozen=True)
class KnownState:
    """The state that a plan is compared with; `parts` are by partition.

    If the parts are not `partitioned` as the export, each of them may have any key. `folded` are
    the unfinished runs whose changes are in the parts. `notes` say what is unusual.
    `rows_comparable`: the hashes of rows in the parts can be compared with those of today. `rows`
    and `keys` are those of the state, 0 if they are not known.
    """

    folder: Location
    serial: int = 0
    run: str = ""
    folded: tuple[str, ...] = ()
    parts: Mapping[int | None, PriorPart] = field(default_factory=dict)
    partitioned: bool = True
    notes: tuple[str, ...] = ()
    rows_comparable: bool = False
    rows: int = 0
    keys: int = 0

    def require_current(self) -> None:
        """Raise `PlanFailed` if another run was committed since, which removes the old state."""
        _require_current(self.folder, self.serial, self.run)

    def unpartitioned(self, *notes: str) -> KnownState:
        """The same state in one part, which may have any key."""
        if not self.parts:
            return replace(self, partitioned=False, notes=(*self.notes, *notes))
        parts: dict[int | None, PriorPart] = {
            None: PriorPart(
                self.folder,
                tuple(part for prior in self.parts.values() for part in prior.parts),
                tuple(overlay for prior in self.parts.values() for overlay in prior.overlays),
                all(prior.comparable for prior in self.parts.values()),
            )
        }
        return replace(self, parts=parts, partitioned=False, notes=(*self.notes, *notes))


def known_state(
    folder: Location,
    table: TableDescription | None,
    identity: TableIdentity,
    partitions: int,
    attributes: Mapping[str, str],
    rows_version: str = "",
) -> KnownState:
    """The state of an export in its folder of the storage.

    `attributes` has the DynamoDB type of each attribute that the export writes. `rows_version` is
    what the hashes of rows depend on, "" without hashes. Raises `Refused` if a file is damaged, and
    `PlanFailed` if another run is committed meanwhile.
    """
    state, _ = read_state(folder)
    notes: list[str] = []
    unfinished = []
    all_unfinished = _unfinished_runs(folder, state)
    for run in all_unfinished:
        if identity_problem(TableIdentity(**run.begun.identity), identity):
            continue
        unfinished.append(run)
        notes.append(f"run {run.run} did not end: {_left(run)}")
    of_state = TableIdentity(**state.identity) if state and state.serial else None
    if state and of_state and identity_problem(of_state, identity):
        notes.append(
            f"the state of run {state.run} is that of another table, {of_state}: "
            "everything is put, nothing is deleted"
        )
        usable = None
    else:
        usable = state if of_state else None
    if usable is None and not unfinished:
        notes += _first_run(folder, state, table)
    comparable = usable is None or usable.encoding == ENCODING
    if usable and not comparable:
        notes.append("this version of the loader encodes items in another way: all items are put")
    if usable and comparable:
        notes += _new_attributes(usable, attributes)
    counts = {run.begun.partitions for run in unfinished}
    counts |= {usable.partitions} if usable else set()
    # A key may be in one partition of the state, and in another one of such a run.
    distributed = any(run.begun.distributed for run in unfinished)
    partitioned = counts <= {partitions} and not distributed and not (usable and usable.adopted)
    if not counts <= {partitions}:
        before = " and ".join(map(str, sorted(counts - {partitions})))
        notes.append(
            f"the state has {before} partitions, the export {partitions}: "
            "the keys are distributed again"
        )
    elif distributed:
        notes.append(
            "a run that did not end has keys in other partitions: the keys are distributed again"
        )
    rows_comparable = bool(usable and rows_version and usable.rows_version == rows_version)
    known = KnownState(
        folder,
        state.serial if state else 0,
        state.run if state else "",
        tuple(run.run for run in all_unfinished),
        _parts(folder, usable, unfinished, comparable, rows_comparable),
        notes=tuple(notes),
        rows_comparable=rows_comparable,
        rows=usable.rows if usable else 0,
        keys=usable.keys if usable else 0,
    )
    return known if partitioned else known.unpartitioned()


def _require_current(folder: Location, serial: int, run: str) -> None:
    state, _ = read_state(folder)
    now = (state.serial, state.run) if state else (0, "")
    if now != (serial, run):
        raise PlanFailed(
            f"cannot plan export {folder.name}: another run ({now[1] or 'none'}) was "
            "committed during the plan. Nothing was written: plan again"
        )


def _unfinished_runs(folder: Location, state: State | None) -> list[Unfinished]:
    """The unfinished runs of the state; a plan takes no lock, so one of them may end meanwhile."""
    if state is None or not state.unfinished:
        return []
    try:
        runs = unfinished_runs(folder, state)
    except Refused:
        _require_current(folder, state.serial, state.run)
        raise
    _require_current(folder, state.serial, state.run)
    return runs


def shared_table_problems(storage: Location, tables: Mapping[str, TableIdentity]) -> list[str]:
    """Why other exports of the storage write these tables already; `tables` are by export.

    The project is checked for this too, but an export may be of another project, or was renamed.
    """
    tables = {name: table for name, table in tables.items() if table.exists}
    problems = []
    for other in storage.folders() if tables else ():
        if tables.keys() == {other}:
            continue
        state, _ = read_state(storage / other)
        if state is None or not state.serial:
            continue
        of_state = TableIdentity(**state.identity)
        problems += [
            f"table {table.name} must be written by one export, got the state of export {other} "
            f"in {storage}/{other}: if {name} replaces {other}, move all files of that folder to "
            f"{storage}/{name}; otherwise choose another table"
            for name, table in tables.items()
            if name != other and identity_problem(of_state, table) is None
        ]
    return problems


def _parts(
    folder: Location,
    state: State | None,
    unfinished: Collection[Unfinished],
    comparable: bool,
    rows_comparable: bool,
) -> dict[int | None, PriorPart]:
    """By partition; the files of an adopted state are part None."""
    files: dict[int | None, list[StatePart]] = {}
    for part in state.parts if state else ():
        files.setdefault(part.partition, []).append(part)
    overlays: dict[int | None, list[Overlay]] = {}
    for run in unfinished:
        of_run: dict[int | None, list] = {}  # type: ignore[type-arg]
        for extent, written in run.extents():
            of_run.setdefault(extent.partition, []).append((extent, written))
        for partition, extents in of_run.items():
            overlays.setdefault(partition, []).append(Overlay(run.folder, tuple(extents)))
    return {
        partition: PriorPart(
            folder,
            tuple(files.get(partition, ())),
            tuple(overlays.get(partition, ())),
            comparable,
            rows_comparable,
        )
        for partition in {**files, **overlays}
    }


def _first_run(
    folder: Location, state: State | None, table: TableDescription | None
) -> Iterator[str]:
    """Why nothing is known, and what the table has."""
    runs = folder / RUNS
    if state is None and any((runs / name).exists(COMMITTED) for name in runs.folders()):
        yield (
            f"the state file of {folder} is gone, though a run has committed one: "
            "everything is put, nothing is deleted"
        )
    if table is not None and table.items:
        yield (
            f"table {table.name} has about {table.items:,} items that this export did not write: "
            "they stay, unless the export has their keys; "
            f"`{export_command(folder, 'state adopt')}` takes them over"
        )


def _new_attributes(state: State, attributes: Mapping[str, str]) -> Iterator[str]:
    """A change of the export that changes every item."""
    before, now = dict(state.attributes), dict(attributes)
    if before and before != now:
        added = ", ".join(name for name in now if name not in before)
        gone = ", ".join(name for name in before if name not in now)
        retyped = ", ".join(n for n in now if n in before and before[n] != now[n])
        changes = (("new", added), ("gone", gone), ("of another type", retyped))
        what = "; ".join(f"{word}: {names}" for word, names in changes if names)
        yield f"the export's attributes have changed ({what or 'their order'}): items change"


def _left(run: Unfinished) -> str:
    """What a run that did not end has left to the next one."""
    changes = sum(piece.changes for piece in run.begun.slices)
    if run.to_write_again:
        return f"{run.to_write_again:,} of its {changes:,} changes are written again"
    return f"its {changes:,} changes are written"
