"""lock.json: the run that may write the items of an export, in the export's folder."""

import getpass
import json
import os
import socket
from dataclasses import asdict, dataclass, fields
from datetime import datetime, timezone

from loader.errors import Refused, StorageFailed, VersionConflict, subject_of
from loader.storage.export_command import export_command
from loader.storage.location import Location

LOCK_FILE = "lock.json"
# A run renews its lock this often in the time after which it expires.
RENEWALS = 30
ATTEMPTS = 5
DAMAGED = "a damaged file"


@dataclass(frozen=True)
class Lock:
    """A lock and the run that has it. `since` and `renewed` are in UTC, by that machine's clock.

    It expires if it is not renewed for `seconds`, by the clock of the storage. Each content is
    unique, because `renewals` counts.
    """

    id: str
    run: str
    host: str
    pid: int
    user: str
    command: str
    since: str
    renewed: str
    renewals: int
    seconds: float

    def __str__(self) -> str:
        return (
            f"a run of {self.user} on {self.host} (process {self.pid}, run {self.run}, "
            f"`{self.command}`, since {self.since})"
        )

    def encoded(self) -> bytes:
        return json.dumps(asdict(self), indent=1).encode() + b"\n"


def lock_of_this_process(id_: str, run: str, command: str, seconds: float) -> Lock:
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        user = str(os.getuid())
    now = utc_now()
    return Lock(id_, run, socket.gethostname(), os.getpid(), user, command, now, now, 0, seconds)


def utc_now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="seconds")


def parsed(content: bytes) -> Lock | None:
    """The lock in a file; None if the file is damaged."""
    try:
        lock = Lock(**json.loads(content))
    except (ValueError, TypeError, RecursionError):
        return None
    kinds = {field.name: type(getattr(lock, field.name)) for field in fields(Lock)}
    numbers = {kinds.pop(name) for name in ("pid", "renewals", "seconds")}
    return lock if set(kinds.values()) == {str} and numbers <= {int, float} else None


def read_lock(folder: Location) -> Lock | None:
    """The lock in the folder of an export, or None. Raises Refused if the file is damaged."""
    try:
        lock = parsed(folder.read(LOCK_FILE))
    except FileNotFoundError:
        return None
    if lock is None:
        raise Refused(
            f"{folder}/{LOCK_FILE} must be the lock of a run, got {DAMAGED}: load again, which "
            "replaces it when it has expired, or delete it",
            subject_of([folder.name]),
        )
    return lock


def remove_lock(folder: Location, id_: str) -> Lock | None:
    """Remove the lock if it has this id, and return it."""
    for _ in range(ATTEMPTS):
        try:
            content, version = folder.read_version(LOCK_FILE)
        except FileNotFoundError:
            return None
        lock = parsed(content)
        if lock is None or lock.id != id_:
            return None
        try:
            folder.remove_version(LOCK_FILE, version)
        except VersionConflict:
            continue  # its run has renewed it
        return lock
    raise StorageFailed("remove", f"{folder}/{LOCK_FILE}", "its run renews it", "End the run first")


def unlock(folder: Location, id_: str) -> Lock:
    """Remove the lock of a dead run, and return it. Raises Refused if it has another id."""
    if removed := remove_lock(folder, id_):
        return removed
    lock = read_lock(folder)
    got = f"the lock {lock.id} of {lock}" if lock else "no lock"
    name = folder.name
    raise Refused(
        f"lock of export {name} must have the id {id_} to be removed, got {got}: "
        f"see `{export_command(folder, 'status')}`",
        subject_of([name]),
    )
