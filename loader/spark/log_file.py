"""spark.log: what the JVMs of the runs print, bounded in size."""

import fcntl
import os
from pathlib import Path

from loader.storage.local_files import make_private

MOST_BYTES = 10 << 20


class LogFile:
    """The log, open for a JVM that starts now. Runs append to it, also several at a time.

    A log that is too large becomes `spark.log.1`, and a new one begins. A run that has the old one
    open goes on writing to it.
    """

    def __init__(self, path: Path) -> None:
        make_private(path.parent)
        self.descriptor = _open(path)
        self._begin = os.fstat(self.descriptor).st_size

    def output(self) -> str:
        """What was written since it was opened."""
        size = os.fstat(self.descriptor).st_size
        content = os.pread(self.descriptor, size - self._begin, self._begin)
        return content.decode(errors="replace")

    def close(self) -> None:
        os.close(self.descriptor)


def _open(path: Path) -> int:
    while True:
        descriptor = os.open(path, os.O_CREAT | os.O_RDWR | os.O_APPEND, 0o600)
        if not _is_replaced(descriptor, path):
            return descriptor
        os.close(descriptor)


def _is_replaced(descriptor: int, path: Path) -> bool:
    """Whether the path is, or becomes here, another file than the open one.

    Of runs that start at once, one renames the file, and the others open the new one.
    """
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False  # another run does so now; this one may write to the old file
    try:
        status = os.fstat(descriptor)
        is_other = not path.exists() or not os.path.samestat(status, path.stat())
        if not is_other and status.st_size > MOST_BYTES:
            path.replace(path.with_name(f"{path.name}.1"))
            return True
        return is_other
    finally:
        fcntl.flock(descriptor, fcntl.LOCK_UN)  # the JVM inherits the file
