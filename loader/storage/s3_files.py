"""The files of a folder on S3: the objects under a prefix."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from loader.errors import StorageFailed
from loader.storage import s3
from loader.storage.s3_download import Download
from loader.storage.s3_upload import Upload
from loader.storage.s3_version import VersionedObject


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

    def read_version(self, name: str) -> tuple[bytes, str]:
        return self._object(name).read()

    def replace_version(self, name: str, content: bytes, version: str | None) -> str:
        return self._object(name).replace(content, version)

    def remove_version(self, name: str, version: str) -> None:
        self._object(name).remove(version)

    def age(self, name: str) -> float:
        return self._object(name).age()

    def size(self, name: str) -> int:
        return self._object(name).size()

    def exists(self, name: str) -> bool:
        return self._object(name).exists()

    def folders(self) -> list[str]:
        with s3.failures("read", self.uri):
            return sorted(self.bucket.names(self._key("")).folders)

    def files(self) -> list[str]:
        with s3.failures("read", self.uri):
            return sorted(self.bucket.names(self._key("")).files)

    def open(self, name: str) -> Any:
        return Download(self.bucket, self._key(name), f"{self.uri}/{name}")

    def remove(self, name: str) -> None:
        with s3.failures("remove", f"{self.uri}/{name}"):
            self.bucket.delete([self._key(name)])

    def delete(self) -> None:
        with s3.failures("remove", self.uri):
            self.bucket.delete(list(self.bucket.keys(self._key(""))))

    def _object(self, name: str) -> VersionedObject:
        return VersionedObject(self.bucket, self._key(name), f"{self.uri}/{name}")

    def _key(self, name: str) -> str:
        return f"{self.prefix}/{name}".lstrip("/")
