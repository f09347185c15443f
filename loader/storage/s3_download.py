"""An object of S3 as a seekable stream that reads ranges."""

import io
import random
import re
import time
from typing import Any

from botocore.exceptions import (
    ClientError,
    IncompleteReadError,
    ReadTimeoutError,
    ResponseStreamingError,
)

from loader.storage import s3

# Most files of a run are smaller, and one request reads them.
BLOCK_BYTES = 4 << 20
# botocore sends a request again, but not if the body of its answer breaks off.
BODY_ATTEMPTS = 4
BROKEN_BODY = (IncompleteReadError, ReadTimeoutError, ResponseStreamingError)
RANGE = re.compile(r"bytes (\d+)-")


class Download(io.RawIOBase):
    """The bytes of an object; memory holds its last block and one other.

    All ranges are of one version of the object: if it is replaced, the next one is an error.
    Raises FileNotFoundError if it does not exist.
    """

    def __init__(self, bucket: s3.Bucket, key: str, place: str) -> None:
        super().__init__()
        self._bucket, self._key, self._place = bucket, key, place
        self._position = self._size = 0
        self._version: dict[str, str] = {}
        # The end, where Arrow's footer is, and the block that was read last: (start, bytes).
        self._tail = self._block = self._get(f"bytes=-{BLOCK_BYTES}")
        self._size = self._tail[0] + len(self._tail[1])

    @property
    def version(self) -> str:
        """The ETag of the object."""
        return self._version["IfMatch"]

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        self._position = max(0, start + offset)
        return self._position

    def tell(self) -> int:
        return self._position

    def read(self, size: int = -1) -> bytes:
        """As many bytes as there are, up to `size`."""
        end = self._size if size < 0 else min(self._size, self._position + size)
        if self._position >= end:
            return b""
        start, content = next(
            (held for held in (self._tail, self._block) if _holds(held, self._position, end)),
            (0, b""),
        )
        if not content:
            start, content = self._fetch(self._position, end)
        data = content[self._position - start : end - start]
        self._position = end
        return data

    def readinto(self, buffer: Any) -> int:
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def _fetch(self, start: int, end: int) -> tuple[int, bytes]:
        """Bytes from `start` to `end`; all of a block, except what the tail has."""
        last = min(max(end, start + BLOCK_BYTES), max(end, self._tail[0]))
        self._block = self._get(f"bytes={start}-{last - 1}")
        return self._block

    def _get(self, range_: str) -> tuple[int, bytes]:
        """Start and bytes of a range."""
        with s3.failures("read", self._place):
            for attempt in range(BODY_ATTEMPTS):
                answer = self._answer(range_)
                try:
                    content = answer["Body"].read()
                except BROKEN_BODY:
                    if attempt == BODY_ATTEMPTS - 1:
                        raise
                    time.sleep(random.uniform(0, 2**attempt))  # noqa: S311  not a secret
                    continue
                self._version = {"IfMatch": answer["ETag"]}
                match = RANGE.match(answer.get("ContentRange") or "")
                return int(match[1]) if match else 0, content
        return 0, b""

    def _answer(self, range_: str) -> Any:
        """The answer to the request of a range; an empty object has none."""
        parameters = {"Key": self._key, **self._version}
        try:
            return self._bucket.request("get_object", Range=range_, **parameters)
        except ClientError as error:
            if s3.code(error) != "InvalidRange":
                raise
            return self._bucket.request("get_object", **parameters)


def _holds(held: tuple[int, bytes], start: int, end: int) -> bool:
    return held[0] <= start and end <= held[0] + len(held[1])
