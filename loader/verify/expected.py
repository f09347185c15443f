"""What a table should have: the items of a plan, or those of the state."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from loader.plan.result import Plan
from loader.storage.location import Location
from loader.storage.state_part import StatePart
from loader.verify.scan_job import ScannedTable

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


@dataclass(frozen=True)
class Activity:
    """The serial and the run of an export's state, and whether a run has the export's lock."""

    serial: int
    run: str
    is_locked: bool

    def committed_since(self, before: Activity) -> bool:
        """Whether another run was committed, which removes the state before it."""
        return (self.serial, self.run) != (before.serial, before.run)


@dataclass(frozen=True)
class Expected:
    """The expected items of a table.

    `folder` is for the files of the run, in `home`, the folder of the export. `of` names the model
    or the run of the state, and `before` is the activity when it was read. `rows` (comparison.ROWS)
    has all `keys`; `parts` are files with them for a sample. `plan` is None for a state, of which
    only digests are known. `split` is the sort key of split items. The changes of `unfinished` runs
    are in the rows, and not in the parts.
    """

    export: str
    run: str
    home: Location
    folder: Location
    table: ScannedTable
    of: str
    before: Activity
    keys: int
    rows: DataFrame
    parts: tuple[StatePart, ...]
    plan: Plan | None = None
    split: str | None = None
    unfinished: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    next_commands: tuple[str, ...] = ()
