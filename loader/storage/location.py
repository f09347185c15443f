"""A folder on this machine or under s3://: the one place that knows the difference.

Files hold user data, so local folders are made 0700 and files 0600. A file appears whole or not
at all: a local one is renamed into place when it is closed, an S3 object exists once its upload
is complete.
"""

import os
import re
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pyarrow as pa
from pyarrow import fs

from loader import aws
from loader.aws import plain_text_problem
from loader.errors import reason

# What pyarrow puts around AWS's reason: a key that nobody has chosen, the request's number.
PYARROW = re.compile(r"^.*(?=AWS Error )| \(Request ID: [^)]*\)")


@dataclass(frozen=True)
class Location:
    """A folder; picklable, so that a task opens it where it runs."""

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
        """The URL of an S3 other than AWS's own; None for that, and for a folder here."""
        if not self.is_s3:
            return None
        return os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL") or None

    def __truediv__(self, name: str) -> "Location":
        return Location(f"{self.uri.rstrip('/')}/{name}")

    def __str__(self) -> str:
        return self.uri

    def _filesystem(self) -> tuple[Any, str]:
        if not self.is_s3:
            return fs.LocalFileSystem(), str(Path(self.uri))
        parts = urlsplit(self.uri)
        options = {"endpoint_override": self.endpoint} if self.endpoint else {}
        # Given only where it is needed: pyarrow 15 does not know the option.
        if bundle := aws.ca_bundle():
            options["tls_ca_file_path"] = bundle
        if region := os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION"):
            options["region"] = region
        return fs.S3FileSystem(**options), f"{parts.netloc}{parts.path}".rstrip("/")

    @contextmanager
    def create(self, name: str) -> Iterator[Any]:
        """A binary stream into a new file, there only if the block ends without an error."""
        filesystem, folder = self._filesystem()
        if self.is_s3:
            stream = filesystem.open_output_stream(f"{folder}/{name}")
            try:
                yield stream
            except BaseException:
                # Closing would complete the upload: leave the parts to the bucket's own clean-up.
                raise
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
        """Why requests to this S3 would be in plain text, or None; a folder here needs none."""
        return plain_text_problem("S3", self.endpoint) if self.endpoint and not allowed else None

    def problem(self) -> str | None:
        """Why files cannot be kept here, or None; a file is written and removed to know."""
        probe = self / f"check-{uuid.uuid4().hex}"
        try:
            probe.write("probe", b"")
            probe.delete()
        except OSError as error:
            why = PYARROW.sub("", reason(error.strerror or error))
            return (
                f"cannot write to --storage {self}: {why}. "
                f"Check its owner, the bucket's policy and AWS_ENDPOINT_URL_S3"
            )
        return None

    def open(self, name: str) -> Any:
        """A random-access reader; FileNotFoundError when the file is not there."""
        filesystem, folder = self._filesystem()
        return filesystem.open_input_file(f"{folder}/{name}")

    def read(self, name: str) -> bytes:
        """The whole of a file."""
        with self.open(name) as stream:
            return bytes(stream.read())

    def remove(self, name: str) -> None:
        """Remove a file of the folder; no error when it is not there."""
        filesystem, folder = self._filesystem()
        if filesystem.get_file_info(f"{folder}/{name}").type != fs.FileType.NotFound:
            filesystem.delete_file(f"{folder}/{name}")

    def delete(self) -> None:
        """Remove the folder and all that is in it; no error when it is not there."""
        filesystem, folder = self._filesystem()
        if filesystem.get_file_info(folder).type != fs.FileType.NotFound:
            filesystem.delete_dir(folder)


def make_private(folder: Path) -> None:
    """Make the folder and those above it that are missing; mkdir's own `parents` ignores modes."""
    if not folder.is_dir():
        make_private(folder.parent)
        folder.mkdir(mode=0o700, exist_ok=True)
