"""The files of a folder on this machine; only their owner can read them."""

import errno
import fcntl
import os
import shutil
import socket
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any

import pyarrow as pa

from loader.errors import StorageFailed, VersionConflict

REMEDY = "Check its owner, its mode and the free space, or choose another --storage"
SHARE = "Share the folder of --storage with all machines of the cluster, or give s3://bucket/prefix"
# Failures of the disk while a stream is written; another error may be the caller's own.
DISK = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS})
# Held for the time of a comparison and a rename; a process that is stopped meanwhile keeps it.
GUARD = ".versions.lock"
GUARD_SECONDS = 30.0


@dataclass(frozen=True)
class LocalFiles:
    """Folders get mode 0700, files 0600. A file appears when it is closed.

    Without the folder `seen`, none is read or written (`Location.within`).
    """

    folder: Path
    seen: str = ""

    def make(self) -> None:
        with _failures("write to", self.folder):
            make_private(self.folder)

    @contextmanager
    def stream(self, name: str, is_new: bool) -> Iterator[Any]:
        file, partial = self.folder / name, self.folder / f".{name}.{uuid.uuid4().hex}"
        self._require_seen("write to", file)
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

    def read_version(self, name: str) -> tuple[bytes, str]:
        with self.open(name) as stream:
            content = bytes(stream.read())
        return content, blake2b(content).hexdigest()

    def replace_version(self, name: str, content: bytes, version: str | None) -> str:
        with self._guarded(name, version), self.stream(name, is_new=False) as stream:
            stream.write(content)
        return blake2b(content).hexdigest()

    def remove_version(self, name: str, version: str) -> None:
        if self.exists(name):
            with self._guarded(name, version):
                self.remove(name)

    def age(self, name: str) -> float:
        with _failures("read", self.folder / name):
            replaced = (self.folder / name).stat().st_mtime
        with self._guard() as descriptor:
            os.utime(descriptor)  # on a file server this is the clock that the files have
            return max(0.0, os.fstat(descriptor).st_mtime - replaced)

    def size(self, name: str) -> int:
        with _failures("read", self.folder / name):
            return (self.folder / name).stat().st_size

    def exists(self, name: str) -> bool:
        return (self.folder / name).is_file()

    def folders(self) -> list[str]:
        return self._names(os.DirEntry.is_dir)

    def files(self) -> list[str]:
        return self._names(os.DirEntry.is_file)

    def _names(self, is_wanted: Callable[["os.DirEntry[str]"], bool]) -> list[str]:
        """The names of entries that are not hidden; files that are being written are."""
        try:
            with _failures("read", self.folder), os.scandir(self.folder) as entries:
                return sorted(e.name for e in entries if e.name[0] != "." and is_wanted(e))
        except (FileNotFoundError, NotADirectoryError):
            return []

    @contextmanager
    def _guarded(self, name: str, version: str | None) -> Iterator[None]:
        """Keep other processes from replacing a file of this version in the block."""
        with self._guard() as descriptor:
            self._wait_for(descriptor)
            try:
                current: str | None = self.read_version(name)[1]
            except FileNotFoundError:
                current = None
            if current != version:
                raise VersionConflict(f"another program replaced or removed {self.folder / name}")
            yield

    @contextmanager
    def _guard(self) -> Iterator[int]:
        """The descriptor of the file that guards the folder; the kernel releases a killed one's."""
        path = self.folder / GUARD
        with _failures("write to", path):
            make_private(self.folder)
            descriptor = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            yield descriptor
        finally:
            os.close(descriptor)

    def _wait_for(self, descriptor: int) -> None:
        deadline = time.monotonic() + GUARD_SECONDS
        while True:
            try:
                return fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() > deadline:
                    cause = f"another process has held it for {GUARD_SECONDS:g} s"
                    path = str(self.folder / GUARD)
                    raise StorageFailed("lock", path, cause, "End that process") from None
                time.sleep(0.01)
            except OSError as error:
                raise _failed("lock", self.folder / GUARD, error) from error

    def _require_seen(self, action: str, file: Path) -> None:
        if self.seen and not os.path.isdir(self.seen):
            cause = f"{socket.gethostname()} does not see {self.seen}"
            raise StorageFailed(action, str(file), cause, SHARE)

    def open(self, name: str) -> Any:
        self._require_seen("read", self.folder / name)
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
