"""How fast a run may write: what its table allows, looked up again while tasks write.

The file `pace.txt` in the run's folder has the setting that holds, as `500`, `50%` or `max`, while
the run has a limit. `loader pace` and editors change it.
"""

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from loader.apply.pacing import PACE_FILE, current_setting
from loader.capacity_setting import CapacitySetting
from loader.dynamodb.allowed_rates import AllowedRate, ceilings, write_rates, writes_text
from loader.dynamodb.description import TableDescription
from loader.dynamodb.watched_table import WatchedTable
from loader.errors import Refused, subject_of
from loader.storage.location import Location
from loader.storage.lock_file import LOCK_FILE, read_lock
from loader.storage.unfinished import RUNS

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


class WriteLimits:
    """The limits of a table and its global indexes, each time it is called."""

    def __init__(
        self,
        dynamodb: "DynamoDBClient",
        description: TableDescription,
        setting: CapacitySetting,
        folder: Location,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._table = WatchedTable(dynamodb, description, clock)
        self._setting, self._folder = setting, folder

    @property
    def problems(self) -> list[str]:
        """Why the table could not be described; its last description holds."""
        return self._table.problems

    def begin(self) -> str:
        """Record the setting for the time of the run; returns the limits in words.

        A setting that an earlier apply of the run had no longer holds.
        """
        rates = write_rates(self._setting, self._table())
        if ceilings(rates):
            self._folder.write(PACE_FILE, f"{self._setting}\n".encode())
        else:
            self._folder.remove(PACE_FILE)
        return writes_text(rates)

    def __call__(self) -> Sequence[AllowedRate]:
        """The limits of now; raises `Refused` for an invalid setting in the file."""
        return write_rates(current_setting(self._folder, self._setting), self._table())


def change(folder: Location, setting: CapacitySetting) -> CapacitySetting:
    """Change the setting of the run that writes the export of this folder; returns the last one.

    Raises `Refused` if no run writes it with a limit.
    """
    lock = read_lock(folder)
    try:
        age = folder.age(LOCK_FILE)
    except FileNotFoundError:  # also if its run has ended since
        lock, age = None, 0.0
    if lock is None or age > lock.seconds:
        got = "none" if lock is None else f"{lock}, which has ended"
    else:
        run = folder / RUNS / lock.run
        if run.exists(PACE_FILE):
            before = current_setting(run, setting)
            run.write(PACE_FILE, f"{setting}\n".encode())
            return before
        got = f"{lock}, which does not write yet or has no limit"
    raise Refused(
        f"export {folder.name} must have a run that writes within a limit, got {got}: give "
        "--write-capacity to the next load",
        subject_of([folder.name]),
    )
