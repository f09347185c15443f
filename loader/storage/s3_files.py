"""The files of a folder on S3: the objects under a prefix."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from loader.errors import StorageFailed
from loader.storage import s3
from loader.storage.s3_download import Download
from loader.storage.s3_upload import Upload


@dataclass(frozen=True)
class S3Files:
    """`prefix` has no slash at its ends; `uri` is for messages."""

    bucket: s3.Bucket
    prefix: str
    uri: str

    @contextmanager
    def stream(self, name: str, is_new: bool) -> Iterator[Any]:
        upload = Upload(self.bucket, self._key(name), f"{self.uri}/{name}", is_new)
        try:
            yield upload
            upload.finish()
        except BaseException:
            # Parts that stay are never part of a file; the first failure is the one to report.
            with suppress(StorageFailed):
                upload.abort()
            raise

    def open(self, name: str) -> Any:
        return Download(self.bucket, self._key(name), f"{self.uri}/{name}")

    def remove(self, name: str) -> None:
        with s3.failures("remove", f"{self.uri}/{name}"):
            self.bucket.delete([self._key(name)])

    def delete(self) -> None:
        with s3.failures("remove", self.uri):
            self.bucket.delete(list(self.bucket.keys(self._key(""))))

    def _key(self, name: str) -> str:
        return f"{self.prefix}/{name}".lstrip("/")
