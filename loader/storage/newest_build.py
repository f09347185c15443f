"""newest_build.json: the newest dbt build of an export that a bundle or a load has had.

In the folder of the export. It is replaced on condition of its version, never by an older build. A
build of the future does not count: it would stand for the newest one until its date.
"""

import json
import random
import sys
import time
import uuid
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime

from loader.errors import Refused, StorageFailed, VersionConflict, subject_of
from loader.storage.location import Location
from loader.utc_time import is_of_the_future, moment, utc_text

BUILD_FILE = "newest_build.json"
ATTEMPTS = 8
SECONDS = 0.2


@dataclass(frozen=True)
class Build:
    """A dbt command that built and tested an export; `finished` is its time in UTC."""

    invocation: str
    finished: str

    @property
    def moment(self) -> datetime:
        """Raises ValueError if `finished` is no time."""
        if read := moment(self.finished):
            return read
        raise ValueError(f"{self.finished} is no time")

    def __str__(self) -> str:
        return f"build {self.invocation} of {self.finished}"


def newest_build(folder: Location, now: datetime) -> Build | None:
    """The newest build that is recorded in the folder of an export; None if there is none.

    Raises `Refused` if the file is damaged.
    """
    return _read(folder, now)[0]


def record_build(
    folder: Location,
    build: Build,
    now: datetime,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Record a build, unless a newer one is recorded already. One of the future is a warning.

    Raises `StorageFailed`, or `Refused` if the file is damaged.
    """
    if is_of_the_future(build.moment, now):
        print(
            f"warning: export {folder.name} has {build}, which is of the future at {utc_text(now)} "
            "and is not recorded: set the clock of this machine or of that which ran dbt, and "
            "build again",
            file=sys.stderr,
        )
        return
    for attempt in range(ATTEMPTS):
        known, version = _read(folder, now)
        if known and known.moment >= build.moment:
            return
        # The id makes the content unique: see Location.replace_version.
        content = json.dumps({**asdict(build), "id": uuid.uuid4().hex}).encode() + b"\n"
        try:
            folder.replace_version(BUILD_FILE, content, version)
        except VersionConflict:
            sleep(random.uniform(0, SECONDS * 2**attempt))  # noqa: S311  not a secret
        else:
            return
    raise StorageFailed(
        "write to",
        f"{folder}/{BUILD_FILE}",
        f"other programs replaced it {ATTEMPTS} times meanwhile",
        "Run it again",
    )


def _read(folder: Location, now: datetime) -> tuple[Build | None, str | None]:
    """The build, None if it does not count, and the version of the file."""
    try:
        content, version = folder.read_version(BUILD_FILE)
    except FileNotFoundError:
        return None, None
    try:
        document = json.loads(content)
        build = Build(str(document["invocation"]), str(document["finished"]))
        build.moment  # noqa: B018  raises ValueError
    except (ValueError, TypeError, KeyError) as error:
        raise Refused(
            f"{folder}/{BUILD_FILE} must be a file of the loader, got a damaged one: remove it",
            subject_of([folder.name]),
        ) from error
    if is_of_the_future(build.moment, now):
        print(
            f"warning: {folder}/{BUILD_FILE} has {build}, which is of the future at "
            f"{utc_text(now)} and does not count: if that is not the time, set the clock of this "
            "machine",
            file=sys.stderr,
        )
        return None, version
    return build, version
