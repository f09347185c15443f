"""Which apply owns a changeset: the latest one. An earlier one that still runs stops.

Both would write the same items, but the one that ends first would remove files that the other
needs. No lock: an apply that was killed leaves nothing that a later one must wait for.
"""

import json
import os
import socket
import time
from dataclasses import asdict, dataclass

from loader.apply.slice_outcome import APPLIED
from loader.storage.location import Location

OWNER = "owner.json"  # in the folder `applied`


@dataclass(frozen=True)
class Owner:
    """An apply: its id, its process, and its start in UTC."""

    apply: str
    host: str
    pid: int
    began: str

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host}, began {self.began}"


def take(folder: Location, apply: str) -> None:
    """Make this apply the owner of the changeset in a run's folder."""
    began = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    owner = Owner(apply, socket.gethostname(), os.getpid(), began)
    (folder / APPLIED).write(OWNER, json.dumps(asdict(owner)).encode())


def other_owner(folder: Location, apply: str) -> str | None:
    """The apply that took the changeset over from this one, or None."""
    try:
        owner = Owner(**json.loads((folder / APPLIED).read(OWNER)))
    except FileNotFoundError:
        return "another process, which has written all of it"
    return None if owner.apply == apply else str(owner)
