"""The files of a folder on this machine; only their owner can read them."""

import errno
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from loader.errors import StorageFailed

REMEDY = "Check its owner, its mode and the free space, or choose another --storage"
# Failures of the disk while a stream is written; another error may be the caller's own.
DISK = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS})


@dataclass(frozen=True)
class LocalFiles:
    """Folders get mode 0700, files 0600. A file appears when it is closed."""

    folder: Path

    @contextmanager
    def stream(self, name: str, is_new: bool) -> Iterator[Any]:
        file, partial = self.folder / name, self.folder / f".{name}.{uuid.uuid4().hex}"
        with _failures("write to", file):
            make_private(self.folder)
            os.close(os.open(partial, os.O_CREAT | os.O_WRONLY | os.O_EXCL, 0o600))
        try:
            with pa.OSFile(str(partial), "wb") as stream:
                yield stream
            if is_new and file.exists():
                raise FileExistsError(
                    f"{file} must be a new file, got one of another run: load again"
                )
            os.replace(partial, file)
        except BaseException as error:
            partial.unlink(missing_ok=True)  # a signal may come after the rename
            if isinstance(error, OSError) and error.errno in DISK:
                raise _failed("write to", file, error) from error
            raise

    def open(self, name: str) -> Any:
        with _failures("read", self.folder / name):
            return pa.OSFile(str(self.folder / name), "rb")

    def remove(self, name: str) -> None:
        with _failures("remove", self.folder / name):
            (self.folder / name).unlink(missing_ok=True)

    def delete(self) -> None:
        with _failures("remove", self.folder):
            if self.folder.exists():
                shutil.rmtree(self.folder)


def make_private(folder: Path) -> None:
    """Make the folder and its missing parents; `parents=True` of mkdir would ignore the mode."""
    if not folder.is_dir():
        make_private(folder.parent)
        folder.mkdir(mode=0o700, exist_ok=True)


@contextmanager
def _failures(action: str, path: Path) -> Iterator[None]:
    """Raise errors of the operating system as `StorageFailed`, except for a file to read."""
    try:
        yield
    except OSError as error:
        if action == "read" and isinstance(error, (FileNotFoundError, NotADirectoryError)):
            raise
        raise _failed(action, path, error) from error


def _failed(action: str, path: Path, error: OSError) -> StorageFailed:
    return StorageFailed(action, str(path), os.strerror(error.errno or errno.EIO), REMEDY)
