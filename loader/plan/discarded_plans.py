"""The folders of plans that are not applied are removed, however their run ends."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from loader.errors import LoaderError, reason
from loader.interruption import deferred, ending
from loader.spark import processes, session
from loader.storage.location import Location


@contextmanager
def discarded_plans() -> Iterator[list[Location]]:
    """The folders of plans; those that are left at the end are removed with their files.

    Tasks write files until their processes have ended, so the Spark of a run that breaks off is
    ended first, unless another program has started it.
    """
    folders: list[Location] = []
    ours, broken = not session.is_running(), False
    try:
        with ending(processes.end if ours else None):
            yield folders
    except BaseException as error:
        broken = not isinstance(error, LoaderError)
        raise
    finally:
        with deferred():
            if ours and (broken or folders):
                processes.end()
            for folder in folders:
                _remove(folder)


def _remove(folder: Location) -> None:
    try:
        folder.delete()
    except Exception as error:  # noqa: BLE001  the other folders are removed too
        cause = getattr(error, "cause", None) or reason(error)
        print(
            f"cannot remove {folder}: {cause}. It has rows of the export: remove it",
            file=sys.stderr,
        )
