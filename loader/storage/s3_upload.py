"""A new object of S3: it appears whole when it is finished, or not at all."""

from typing import Any

from loader.storage import s3

# S3 allows 10,000 parts of 5 MiB to 5 GiB, so parts grow: an upload may have 430 GiB.
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html
PART_BYTES = 8 << 20
PARTS_OF_ONE_SIZE = 1_000


class Upload:
    """A binary stream to an object; memory holds one part.

    A small object is one request; a larger one is a multipart upload, which the caller must
    `finish` or `abort`. If the process is killed in between, S3 keeps the parts, which nobody sees,
    until a lifecycle rule removes them (docs/security.md).
    """

    def __init__(self, bucket: s3.Bucket, key: str, place: str, is_new: bool) -> None:
        self._bucket, self._key, self._place = bucket, key, place
        # S3 refuses an object that exists already, such as one of another run.
        self._condition = {"IfNoneMatch": "*"} if is_new else {}
        self._held = bytearray()
        self._sent = 0
        self._upload: str | None = None
        self._parts: list[dict[str, Any]] = []
        self.closed = False

    def write(self, content: Any) -> int:
        size = memoryview(content).nbytes
        self._held += content
        if len(self._held) >= PART_BYTES * (1 + len(self._parts) // PARTS_OF_ONE_SIZE):
            with s3.failures("write to", self._place):
                self._send_part()
        return size

    def tell(self) -> int:
        return self._sent + len(self._held)

    def flush(self) -> None:
        """Does nothing: S3 has no incomplete objects."""

    def close(self) -> None:
        """Take no more bytes; does not finish, because libraries close a stream after a failure."""
        self.closed = True

    def finish(self) -> None:
        """Make the object appear."""
        with s3.failures("write to", self._place):
            if self._upload is None:
                self._request("put_object", Body=bytes(self._held), **self._condition)
                return
            if self._held:
                self._send_part()
            self._request(
                "complete_multipart_upload",
                UploadId=self._upload,
                MultipartUpload={"Parts": self._parts},
                **self._condition,
            )

    def abort(self) -> None:
        """Remove what was sent."""
        if self._upload is not None:
            with s3.failures("abort the upload of", self._place):
                self._request("abort_multipart_upload", UploadId=self._upload)

    def _send_part(self) -> None:
        if self._upload is None:
            self._upload = self._request("create_multipart_upload")["UploadId"]
        number = len(self._parts) + 1
        answer = self._request(
            "upload_part", UploadId=self._upload, PartNumber=number, Body=bytes(self._held)
        )
        checksums = {n: v for n, v in answer.items() if n.startswith("ChecksumCRC")}
        self._parts.append({"PartNumber": number, "ETag": answer["ETag"], **checksums})
        self._sent += len(self._held)
        self._held.clear()

    def _request(self, operation: str, **parameters: Any) -> Any:
        return self._bucket.request(operation, Key=self._key, **parameters)
