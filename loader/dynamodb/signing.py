"""Signature Version 4 of the requests of one operation, which differ only in body and time.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
botocore's SigV4Auth builds each canonical request from scratch. This module builds the
constant text once per second: 20 µs instead of 110 µs per request (docs/decisions/0003).
tests/unit/dynamodb/test_signing.py compares the headers with botocore's.
"""

import hashlib
import hmac
import time
from dataclasses import dataclass, field
from urllib.parse import quote

from loader.dynamodb.operations import BATCH_WRITE_ITEM

VERSION = "DynamoDB_20120810"
CONTENT_TYPE = "application/x-amz-json-1.0"
SERVICE = "dynamodb"


@dataclass(frozen=True)
class Credentials:
    """Frozen credentials; `repr` has no secret."""

    access_key: str
    secret_key: str = field(repr=False)
    token: str | None = field(default=None, repr=False)


class Signer:
    """Signs for one operation, endpoint, Region and set of credentials; threads may share it."""

    def __init__(
        self,
        credentials: Credentials,
        region: str,
        host: str,
        path: str = "/",
        operation: str = BATCH_WRITE_ITEM.name,
    ) -> None:
        from botocore.utils import normalize_url_path

        self._credentials, self._region, self._host = credentials, region, host
        self._target = f"{VERSION}.{operation}"
        # A path that is encoded already is encoded twice, except for S3.
        self._path = quote(normalize_url_path(path), safe="/~")
        self._latest: tuple[int, _Moment] = (-1, _Moment("", b"", "", "", ""))

    def headers(self, body: bytes, now: float | None = None) -> str:
        """The request's headers without its length; `now` in seconds since 1970."""
        second = int(time.time() if now is None else now)
        latest, moment = self._latest
        if latest != second:
            moment = self._moment(second)
            self._latest = second, moment
        canonical = moment.canonical + hashlib.sha256(body).hexdigest()
        to_sign = moment.to_sign + hashlib.sha256(canonical.encode()).hexdigest()
        signature = hmac.digest(moment.key, to_sign.encode(), "sha256").hex()
        return f"{moment.headers}{moment.authorization}{signature}\r\n"

    def _moment(self, second: int) -> "_Moment":
        date = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(second))
        scope = f"{date[:8]}/{self._region}/{SERVICE}/aws4_request"
        signed = {"content-type": CONTENT_TYPE, "host": self._host, "x-amz-date": date}
        if self._credentials.token:
            signed["x-amz-security-token"] = self._credentials.token
        signed["x-amz-target"] = self._target  # the names must be in alphabetical order
        lines = "".join(f"{name}:{value}\n" for name, value in signed.items())
        names = ";".join(signed)
        return _Moment(
            headers="".join(f"{name}: {value}\r\n" for name, value in signed.items()),
            key=self._key(date[:8]),
            canonical=f"POST\n{self._path}\n\n{lines}\n{names}\n",
            to_sign=f"AWS4-HMAC-SHA256\n{date}\n{scope}\n",
            authorization=f"authorization: AWS4-HMAC-SHA256 "
            f"Credential={self._credentials.access_key}/{scope}, "
            f"SignedHeaders={names}, Signature=",
        )

    def _key(self, day: str) -> bytes:
        key = f"AWS4{self._credentials.secret_key}".encode()
        for scope in (day, self._region, SERVICE, "aws4_request"):
            key = hmac.digest(key, scope.encode(), "sha256")
        return key


@dataclass(frozen=True)
class _Moment:
    """The text of a signed request that is the same for one second."""

    headers: str
    key: bytes = field(repr=False)
    canonical: str
    to_sign: str
    authorization: str
