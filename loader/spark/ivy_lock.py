"""One process at a time fetches with Ivy, which does not lock its files."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from loader.spark.waiting import reported
from loader.storage.local_files import make_private

LOCK_FILE = "fetch.lock"
# A fetch of the loader ends earlier.
FETCH_SECONDS = 660.0
POLL_SECONDS = 0.1


@contextmanager
def fetching(home: Path) -> Iterator[None]:
    """Hold the lock on Ivy's home, which is made if it is missing.

    Where a file cannot be locked, there is no lock. Raises TimeoutError if another process holds
    it for too long. The file has the id of the process that holds it.
    """
    try:
        make_private(home)
        file = (home / LOCK_FILE).open("a")
    except OSError:
        yield
        return
    with file:
        _wait(file, home)
        with suppress(OSError):  # only people read it
            file.truncate(0)
            file.write(f"{os.getpid()}\n")
            file.flush()
        yield


def _wait(file: IO[str], home: Path) -> None:
    if _tried(file):
        return
    deadline = time.monotonic() + FETCH_SECONDS
    with reported(lambda: f"start  waiting for another process that fetches into {home}"):
        while not _tried(file):
            if time.monotonic() > deadline:
                raise TimeoutError(
                    f"another process fetches into {home} for {FETCH_SECONDS / 60:g} min: end it, "
                    "or give the jar with --spark-conf spark.jars=FILE"
                )
            time.sleep(POLL_SECONDS)


def _tried(file: IO[str]) -> bool:
    """Whether nothing is to be waited for: the lock is held, or the file system has no locks."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True
