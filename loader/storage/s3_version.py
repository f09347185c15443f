"""An object of S3 that is replaced or removed only while it has a known version, its ETag.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html
"""

import random
import time
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from loader.errors import CommitUnknown, StorageFailed, VersionConflict
from loader.storage import s3
from loader.storage.s3_download import Download

ATTEMPTS = 4
# Both times of an answer are whole seconds.
CLOCK_SECONDS = 1.0


@dataclass(frozen=True)
class VersionedObject:
    """`place` is for messages."""

    bucket: s3.Bucket
    key: str
    place: str

    def read(self) -> tuple[bytes, str]:
        """Content and version; raises FileNotFoundError."""
        download = Download(self.bucket, self.key, self.place)
        return download.read(), download.version

    def replace(self, content: bytes, version: str | None) -> str:
        """The new version, once the object has this content.

        A put may land though its answer is lost, also later than the next request: so it is sent
        again with the same condition, until an answer or the object itself is definite. See
        `Location.replace_version`.
        """
        is_in_doubt = False
        failure: StorageFailed | None = None
        for attempt in range(ATTEMPTS):
            time.sleep(random.uniform(0, 2**attempt) if attempt else 0)  # noqa: S311  not a secret
            try:
                return self._put(content, version)
            except (ClientError, *s3.UNANSWERED) as error:
                is_in_doubt |= _may_have_landed(error)
                if not _is_conflict(error):
                    failure = self._failure(error)
                    if not is_in_doubt:
                        raise failure from error
            try:
                current: tuple[bytes | None, str | None] = self.read()
            except FileNotFoundError:
                current = None, None
            except StorageFailed as failed:
                failure = failed
                continue
            if current[0] == content and current[1]:
                return current[1]
            if current[1] != version:
                raise self._conflict()
        if failure is None or not is_in_doubt:
            raise failure or self._conflict()
        cause = f"{failure.cause}, and it is unknown whether the file was replaced"
        raise CommitUnknown("write to", self.place, cause, failure.remedy) from failure

    def remove(self, version: str) -> None:
        """Remove the object if it has this version or is gone; raises VersionConflict."""
        with s3.failures("remove", self.place):
            try:
                self.bucket.request("delete_object", Key=self.key, IfMatch=version)
            except ClientError as error:
                if s3.code(error) in s3.EXISTS:
                    raise self._conflict() from None
                if s3.code(error) not in s3.MISSING:
                    raise

    def age(self) -> float:
        """Seconds since it was replaced, by S3's clock, at least; raises FileNotFoundError."""
        answer = self._head()
        now = parsedate_to_datetime(answer["ResponseMetadata"]["HTTPHeaders"]["date"])
        seconds: float = (now - answer["LastModified"]).total_seconds()
        return max(0.0, seconds - CLOCK_SECONDS)

    def size(self) -> int:
        """Its bytes; raises FileNotFoundError."""
        return int(self._head()["ContentLength"])

    def exists(self) -> bool:
        try:
            self._head()
        except FileNotFoundError:
            return False
        return True

    def _head(self) -> Any:
        with s3.failures("read", self.place):
            return self.bucket.request("head_object", Key=self.key)

    def _put(self, content: bytes, version: str | None) -> str:
        condition = {"IfNoneMatch": "*"} if version is None else {"IfMatch": version}
        try:
            answer = self.bucket.request("put_object", Key=self.key, Body=content, **condition)
        except (ClientError, *s3.UNANSWERED):
            raise
        except (BotoCoreError, ValueError) as error:  # before it was sent
            with s3.failures("write to", self.place):
                raise error
        return str(answer["ETag"])

    def _failure(self, error: Exception) -> StorageFailed:
        """A failure of the put as the loader's error."""
        try:
            with s3.failures("write to", self.place):
                raise error
        except StorageFailed as failed:
            return failed

    def _conflict(self) -> VersionConflict:
        return VersionConflict(f"another program replaced or removed {self.place}")


def _is_conflict(error: Exception) -> bool:
    """Whether S3 compared versions: the object has another one, is gone, or was being written."""
    return isinstance(error, ClientError) and s3.code(error) in s3.EXISTS | s3.MISSING


def _may_have_landed(error: Exception) -> bool:
    """Whether this put, or one that botocore sent before it, may be or become effective."""
    if not isinstance(error, ClientError):
        return True
    answer = error.response.get("ResponseMetadata", {})
    return bool(answer.get("RetryAttempts")) or answer.get("HTTPStatusCode", 500) >= 500
