"""A folder on this machine or under s3://: the only module that treats them differently.

Files contain user data, so local folders have mode 0700 and files 0600. A file is never incomplete:
a local one is renamed into place when it is closed, and one on S3 appears when its upload is
finished.
"""

import tempfile
import uuid
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from loader import tls
from loader.errors import LoaderError, Refused, StorageFailed, VersionConflict
from loader.storage.local_files import LocalFiles

if TYPE_CHECKING:
    from loader.storage.s3 import Bucket
    from loader.storage.s3_files import S3Files

S3 = "s3://"
DEFAULT = ".loader"  # --storage


@dataclass(frozen=True)
class Location:
    """A folder; picklable, so that tasks can open it.

    A task gets the bucket's region and endpoint from the driver, and finds credentials itself.
    `seen` is a folder without which no file is read or written (`within`).
    """

    uri: str
    known_bucket: "Bucket | None" = field(default=None, compare=False, repr=False)
    seen: str = field(default="", compare=False, repr=False)

    def __reduce__(self) -> Any:
        return Location, (self.uri, self._bucket() if self.is_s3 else None, self.seen)

    @property
    def is_s3(self) -> bool:
        return self.uri.startswith(S3)

    @property
    def name(self) -> str:
        """The last part of the address."""
        return self.uri.rstrip("/").rpartition("/")[2]

    @property
    def parent(self) -> "Location":
        return Location(self.uri.rstrip("/").rpartition("/")[0], self.known_bucket, self.seen)

    def log_folder(self) -> Path:
        """The local folder for the logs of a run; with S3 a temporary one."""
        return Path(tempfile.mkdtemp(prefix="loader-")) if self.is_s3 else Path(self.uri)

    def local_folder(self) -> Path:
        """The folder itself or, with S3, the local one beside it, which may not be writable."""
        return Path(DEFAULT if self.is_s3 else self.uri)

    def __truediv__(self, name: str) -> "Location":
        return Location(f"{self.uri.rstrip('/')}/{name}", self.known_bucket, self.seen)

    def within(self, run: "Location") -> "Location":
        """This folder for tasks: they read and write only where they see the folder of their run.

        An executor that does not share the storage would keep rows on its machine.
        """
        return Location(self.uri, self.known_bucket, run.uri)

    def make(self) -> None:
        """Make the folder, so that tasks see it. S3 has no folders."""
        if not self.is_s3:
            LocalFiles(Path(self.uri)).make()

    def __str__(self) -> str:
        return self.uri

    def create(self, name: str) -> AbstractContextManager[Any]:
        """A binary stream to a new file; raises FileExistsError at its end if there is one."""
        return self._files().stream(name, is_new=True)

    def replace(self, name: str) -> AbstractContextManager[Any]:
        """A binary stream to a new file, which replaces an older one at its end."""
        return self._files().stream(name, is_new=False)

    def write(self, name: str, content: bytes) -> None:
        """Create or replace a whole file."""
        with self.replace(name) as stream:
            stream.write(content)

    def open(self, name: str) -> Any:
        """A random-access reader; raises FileNotFoundError."""
        return self._files().open(name)

    def read(self, name: str) -> bytes:
        with self.open(name) as stream:
            return bytes(stream.read())

    def read_version(self, name: str) -> tuple[bytes, str]:
        """Content and version of a file; raises FileNotFoundError."""
        return self._files().read_version(name)

    def replace_version(self, name: str, content: bytes, version: str | None) -> str:
        """Replace a file if it still has this version; None creates it. Returns the new version.

        The content must be unique, because it says whether a put without an answer has landed.
        Raises VersionConflict, or CommitUnknown if no answer came and the file cannot be read.
        """
        return self._files().replace_version(name, content, version)

    def remove_version(self, name: str, version: str) -> None:
        """Remove a file if it still has this version, or is gone. Raises VersionConflict."""
        self._files().remove_version(name, version)

    def age(self, name: str) -> float:
        """Seconds since a file was replaced, by the clock of the storage, and never too many.

        Raises FileNotFoundError.
        """
        return self._files().age(name)

    def size(self, name: str) -> int:
        """Bytes of a file; raises FileNotFoundError."""
        return self._files().size(name)

    def exists(self, name: str) -> bool:
        """Whether there is a file of this name."""
        return self._files().exists(name)

    def folders(self) -> list[str]:
        """The names of the subfolders, sorted; none if the folder does not exist."""
        return self._files().folders()

    def files(self) -> list[str]:
        """The names of the files, sorted; none if the folder does not exist."""
        return self._files().files()

    def remove(self, name: str) -> None:
        """Remove a file of the folder, if it exists."""
        self._files().remove(name)

    def delete(self) -> None:
        """Remove the folder with its files, if it exists."""
        self._files().delete()

    def plain_text_problem(self, allowed: bool) -> str | None:
        """Why requests to this S3 would be in plain text or cannot be sent, or None."""
        if not self.is_s3:
            return None
        try:
            url = self._bucket().url
        except LoaderError as error:
            return str(error)
        return None if allowed else tls.plain_text_problem("S3", url)

    def problem(self) -> str | None:
        """Why files cannot be written here, or None; writes and removes a file."""
        probe = f"check-{uuid.uuid4().hex}"
        try:
            self.write(probe, b"")
            is_safe = not self.is_s3 or self._refuses_conflicts(probe)
            self.remove(probe)
            if not is_safe:
                return (
                    f"--storage {self} must be on an S3 that refuses a put whose If-Match is not "
                    "the object's ETag, got one that ignores it: choose another --storage"
                )
        except StorageFailed as error:
            return f"cannot write to --storage {self}: {error.cause}. {error.remedy}"
        except Refused as refused:
            return str(refused)
        return None

    def _refuses_conflicts(self, name: str) -> bool:
        """Whether the storage honours the condition of a put; two runs could commit otherwise."""
        try:
            self.replace_version(name, name.encode(), '"0"')
        except VersionConflict:
            return True
        return False

    def _files(self) -> "LocalFiles | S3Files":
        if not self.is_s3:
            return LocalFiles(Path(self.uri), self.seen)
        from loader.storage.s3_files import S3Files

        prefix = self.uri.removeprefix(S3).partition("/")[2].strip("/")
        return S3Files(self._bucket(), prefix, self.uri.rstrip("/"))

    def _bucket(self) -> "Bucket":
        if self.known_bucket:
            return self.known_bucket
        from loader.storage import s3

        return s3.find(self.uri.removeprefix(S3).partition("/")[0])
