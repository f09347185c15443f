"""Runs that began to write and did not commit: which of their changes are in the table.

`applied/slices.json` records how a run cut its changeset before it sends the first change, and
`applied/<slice>.json` appears when a slice ends. A slice without one is in doubt: any of its
changes may be in the table. So is a slice with a change that was not acknowledged: the answer may
have been lost.
"""

import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, TypeVar

from loader.errors import Refused, reason
from loader.storage.changeset import Extent, Slice
from loader.storage.export_command import export_command
from loader.storage.location import Location
from loader.storage.slice_outcome import APPLIED, SliceOutcome, outcome_file
from loader.storage.state_file import State

RUNS = "runs"  # folder of the runs, in the folder of an export
SLICES = "slices.json"
COMMITTED = "committed.json"  # in the folder of a run: the serial of its commit
T = TypeVar("T")


@dataclass(frozen=True)
class Begun:
    """A run that has begun to write.

    `base` is the serial of the state that it changes, `identity` the fields of its table's
    identity. `began` is in seconds since 1970.
    """

    run: str
    base: int
    identity: dict[str, Any]
    partitions: int
    began: float
    slices: list[Slice]


@dataclass(frozen=True)
class Unfinished:
    """A begun run that did not commit; `outcomes` has those of the slices that ended."""

    begun: Begun
    folder: Location
    outcomes: dict[int, SliceOutcome]

    @property
    def run(self) -> str:
        return self.begun.run

    def extents(self) -> Iterator[tuple[Extent, bool]]:
        """Each extent of the changeset, and whether all its changes are written as planned."""
        for piece in self.begun.slices:
            outcome = self.outcomes.get(piece.number)
            written = outcome is not None and not outcome.not_sent and not outcome.rejected
            for extent in piece.extents:
                yield extent, written


def begin(
    folder: Location,
    run: str,
    base: int,
    identity: dict[str, Any],
    partitions: int,
    slices: Sequence[Slice],
) -> Unfinished:
    """Record that a run begins to write; one that has begun before keeps its slices."""
    begun = read_begun(folder)
    if begun is None:
        begun = Begun(run, base, identity, partitions, time.time(), list(slices))
        (folder / APPLIED).write(SLICES, json.dumps(asdict(begun)).encode())
    return Unfinished(begun, folder, outcomes(folder, begun))


def read_begun(folder: Location) -> Begun | None:
    """What a run has recorded before its first change; None if it did not begin."""
    try:
        content = (folder / APPLIED).read(SLICES)
    except FileNotFoundError:
        return None
    return _parse(Begun, content, folder, SLICES)


def outcomes(folder: Location, begun: Begun) -> dict[int, SliceOutcome]:
    """The outcomes of the slices that ended, by number."""
    applied = folder / APPLIED
    names = set(applied.files())
    return {
        piece.number: _parse(SliceOutcome, applied.read(name), folder, name)
        for piece in begun.slices
        if (name := outcome_file(piece.number)) in names
    }


def unfinished_runs(folder: Location, state: State | None) -> list[Unfinished]:
    """The runs of an export that began on its state and did not commit, oldest first.

    A run that began on an earlier state is not among them: the commits after it know its changes.
    """
    serial = state.serial if state else 0
    runs = folder / RUNS
    unfinished: list[Unfinished] = []
    for name in runs.folders():
        run = runs / name
        if run.exists(COMMITTED):
            # Without its state file, an export begins at serial 0 again.
            unfinished.clear()
            continue
        if state and name == state.run:
            continue
        begun = read_begun(run)
        if begun is not None and begun.base == serial:
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
            f"{reason(error)[:200]}: "
            "what its run has written is unknown; "
            f"`{export_command(folder.parent.parent, 'state adopt')}` reads it from the table"
        ) from None
