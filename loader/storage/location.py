"""A folder on this machine or under s3://: the only module that treats them differently.

Files contain user data, so local folders have mode 0700 and files 0600. A local file is never
incomplete: it is renamed into place when it is closed. An S3 object may be incomplete if its writer
failed, because Arrow completes the upload when it drops the stream; plan.json lists only the
files of tasks that returned, which are complete.
"""

import os
import re
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pyarrow as pa
from pyarrow import fs

from loader import tls
from loader.errors import reason

# pyarrow puts the internal key and the request's id around AWS's reason.
PYARROW = re.compile(r"^.*(?=AWS Error )| \(Request ID: [^)]*\)")


@dataclass(frozen=True)
class Location:
    """A folder; picklable, so that tasks can open it."""

    uri: str

    @property
    def is_s3(self) -> bool:
        return self.uri.startswith("s3://")

    @property
    def name(self) -> str:
        """The last part of the address."""
        return self.uri.rstrip("/").rpartition("/")[2]

    @property
    def endpoint(self) -> str | None:
        """The URL of an S3 that is not AWS's; None for AWS and for a local folder."""
        if not self.is_s3:
            return None
        return os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL") or None

    def log_folder(self) -> Path:
        """The local folder for the logs of a run.

        With S3, it is `.loader` in the working directory, or a temporary folder if that is
        read-only.
        """
        folder = self.local_folder()
        if not self.is_s3:
            return folder
        if os.access(folder if folder.exists() else ".", os.W_OK):
            return folder
        return Path(tempfile.mkdtemp(prefix="loader-"))

    def local_folder(self) -> Path:
        """The folder itself or, with S3, the local one beside it, which may not be writable."""
        return Path(".loader" if self.is_s3 else self.uri)

    def __truediv__(self, name: str) -> "Location":
        return Location(f"{self.uri.rstrip('/')}/{name}")

    def __str__(self) -> str:
        return self.uri

    def _filesystem(self) -> tuple[Any, str]:
        if not self.is_s3:
            return fs.LocalFileSystem(), str(Path(self.uri))
        parts = urlsplit(self.uri)
        options = {"endpoint_override": self.endpoint} if self.endpoint else {}
        # Only if it is needed: pyarrow 15 does not have the option.
        if bundle := tls.ca_bundle():
            options["tls_ca_file_path"] = bundle
        if region := os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION"):
            options["region"] = region
        return fs.S3FileSystem(**options), f"{parts.netloc}{parts.path}".rstrip("/")

    @contextmanager
    def create(self, name: str) -> Iterator[Any]:
        """A binary stream to a new file, which must not be read if the block raises: see above."""
        filesystem, folder = self._filesystem()
        if self.is_s3:
            stream = filesystem.open_output_stream(f"{folder}/{name}")
            yield stream
            stream.close()
            return
        make_private(Path(folder))
        partial = f"{folder}/.{name}.{uuid.uuid4().hex}"
        os.close(os.open(partial, os.O_CREAT | os.O_WRONLY | os.O_EXCL, 0o600))
        try:
            with pa.OSFile(partial, "wb") as stream:
                yield stream
            os.replace(partial, f"{folder}/{name}")
        except BaseException:
            os.unlink(partial)
            raise

    def write(self, name: str, content: bytes) -> None:
        """Create or replace a whole file."""
        with self.create(name) as stream:
            stream.write(content)

    def plain_text_problem(self, allowed: bool) -> str | None:
        """Why requests to this S3 would be in plain text, or None."""
        return (
            tls.plain_text_problem("S3", self.endpoint) if self.endpoint and not allowed else None
        )

    def problem(self) -> str | None:
        """Why files cannot be written here, or None; writes and removes a file."""
        probe = self / f"check-{uuid.uuid4().hex}"
        try:
            probe.write("probe", b"")
            probe.delete()
        except OSError as error:
            cause = PYARROW.sub("", reason(error.strerror or error))
            return (
                f"cannot write to --storage {self}: {cause}. "
                f"Check its owner, the bucket's policy and AWS_ENDPOINT_URL_S3"
            )
        return None

    def open(self, name: str) -> Any:
        """A random-access reader; raises FileNotFoundError."""
        filesystem, folder = self._filesystem()
        return filesystem.open_input_file(f"{folder}/{name}")

    def read(self, name: str) -> bytes:
        with self.open(name) as stream:
            return bytes(stream.read())

    def remove(self, name: str) -> None:
        """Remove a file of the folder, if it exists."""
        filesystem, folder = self._filesystem()
        if filesystem.get_file_info(f"{folder}/{name}").type != fs.FileType.NotFound:
            filesystem.delete_file(f"{folder}/{name}")

    def delete(self) -> None:
        """Remove the folder with its files, if it exists."""
        filesystem, folder = self._filesystem()
        if filesystem.get_file_info(folder).type != fs.FileType.NotFound:
            filesystem.delete_dir(folder)


def make_private(folder: Path) -> None:
    """Make the folder and its missing parents; `parents=True` of mkdir would ignore the mode."""
    if not folder.is_dir():
        make_private(folder.parent)
        folder.mkdir(mode=0o700, exist_ok=True)
