"""Runs that began to write and did not commit: which of their changes are in the table.

A run begins in two steps, before it sends its first change: `applied/slices.json` records how it
cuts its changeset, and the state file gets its name. The second is a conditional put, so that a
driver that was paused and has lost its lock cannot commit any more.

`applied/<slice>.json` appears when a slice ends. A slice without one is in doubt: any of its
changes may be in the table. So is a slice with a change that was not acknowledged, because the
answer may have been lost, and one with a change that was rejected.
"""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any, TypeVar

from loader.errors import Refused, reason
from loader.storage.changeset import CHANGES, Extent, Slice
from loader.storage.export_command import export_command
from loader.storage.location import Location
from loader.storage.slice_outcome import APPLIED, SliceOutcome, outcome_file
from loader.storage.state_file import State, commit

RUNS = "runs"  # folder of the runs, in the folder of an export
PLAN_FILE = "plan.json"  # in the folder of a run: plan/result.py
SLICES = "slices.json"
COMMITTED = "committed.json"  # in the folder of a run: the serial of its commit
T = TypeVar("T")


@dataclass(frozen=True)
class Begun:
    """A run that has begun to write.

    `identity` has the fields of its table's identity. `began` is in seconds since 1970.
    `distributed`: its keys may be in other partitions than those of the state before it.
    """

    run: str
    identity: dict[str, Any]
    partitions: int
    began: float
    slices: list[Slice]
    distributed: bool = False


@dataclass(frozen=True)
class Unfinished:
    """A begun run that did not commit; `outcomes` has those of the slices that ended."""

    begun: Begun
    folder: Location
    outcomes: dict[int, SliceOutcome]

    @property
    def run(self) -> str:
        return self.begun.run

    def is_written(self, piece: Slice) -> bool:
        """Whether all changes of the slice are in the table."""
        outcome = self.outcomes.get(piece.number)
        return outcome is not None and not outcome.not_sent and not outcome.rejected

    @property
    def open_slices(self) -> list[Slice]:
        """The slices that did not end: of their changes, no answer is known."""
        return [piece for piece in self.begun.slices if piece.number not in self.outcomes]

    @property
    def to_write_again(self) -> int:
        """Changes of the slices that are in doubt or not all written."""
        return sum(piece.changes for piece in self.begun.slices if not self.is_written(piece))

    def extents(self) -> Iterator[tuple[Extent, bool]]:
        """Each extent of the changeset, and whether all its changes are written as planned."""
        for piece in self.begun.slices:
            written = self.is_written(piece)
            for extent in piece.extents:
                yield extent, written


def record(folder: Location, begun: Begun) -> Unfinished:
    """Record how a run cuts its changeset; one that has begun before keeps its slices."""
    known = read_begun(folder)
    if known is None:
        known = begun
        (folder / APPLIED).write(SLICES, json.dumps(asdict(begun)).encode())
    return Unfinished(known, folder, outcomes(folder, known))


def begin(folder: Location, state: State, version: str | None, run: str) -> str:
    """Add a run to the unfinished ones in the export's state file; returns the new version.

    Raises VersionConflict if another run has begun or was committed since this version.
    """
    others = tuple(name for name in state.unfinished if name != run)
    begun = replace(state, unfinished=(*others, run), begins=state.begins + 1)
    return commit(folder, begun, version)


def mark_committed(run: Location, serial: int) -> None:
    """Record in the folder of a run that it was committed; its report may be lost."""
    run.write(COMMITTED, f'{{"serial": {serial}}}\n'.encode())


def read_begun(folder: Location) -> Begun | None:
    """What a run has recorded before its first change; None if it did not begin."""
    try:
        content = (folder / APPLIED).read(SLICES)
    except FileNotFoundError:
        return None
    return _parse(Begun, content, folder, SLICES)


def outcomes(folder: Location, begun: Begun) -> dict[int, SliceOutcome]:
    """The outcomes of the slices that ended, by number.

    Raises `Refused` if the file of one is removed meanwhile.
    """
    applied = folder / APPLIED
    ended = set(applied.files())
    found = {}
    for piece in begun.slices:
        if (name := outcome_file(piece.number)) in ended:
            try:
                content = applied.read(name)
            except FileNotFoundError:
                raise _missing(folder, f"{APPLIED}/{name}") from None
            found[piece.number] = _parse(SliceOutcome, content, folder, name)
    return found


def unfinished_runs(folder: Location, state: State | None) -> list[Unfinished]:
    """The runs of an export that have begun since the last commit, in that order.

    Raises `Refused` if the files of one are gone. Without the lock, a commit may have removed them
    since the state was read: read the state again, whatever the result.
    """
    unfinished = []
    for name in state.unfinished if state else ():
        run = folder / RUNS / name
        begun = read_begun(run)
        if begun is None:
            raise _missing(run, f"{APPLIED}/{SLICES}")
        present = set((run / CHANGES).files())
        needed = {extent.file for piece in begun.slices for extent in piece.extents}
        if missing := sorted(needed - present):
            raise _missing(run, f"{CHANGES}/{missing[0]}")
        unfinished.append(Unfinished(begun, run, outcomes(run, begun)))
    return unfinished


def _parse(kind: type[T], content: bytes, folder: Location, name: str) -> T:
    """What a file of the apply in a run's folder has."""
    from pydantic import TypeAdapter  # only a run that did not commit pays for the import

    try:
        return TypeAdapter(kind).validate_python(json.loads(content))
    except ValueError as error:
        raise Refused(
            f"{folder}/{APPLIED}/{name} must be a file of this version of the loader, got "
            f"{reason(error)[:200]}: {_unknown(folder)}"
        ) from None


def _missing(run: Location, file: str) -> Refused:
    return Refused(
        f"run {run.name} must have its file {run}/{file}, because it has not ended, got none: "
        f"{_unknown(run)}"
    )


def _unknown(run: Location) -> str:
    adopt = export_command(run.parent.parent, "state adopt")
    return f"what its run has written is unknown; `{adopt}` reads it from the table"
