"""The edge to DynamoDB: describe and create by boto3; the hot path signs and sends ready bytes.

boto3's high-level layers cost about 8 times the CPU of signing and sending a ready JSON body, and
botocore's own HTTP session twice that of `http.client` (docs/performance.md), so BatchWriteItem
goes by `http.client` on keep-alive connections, signed by botocore's SigV4 signer.
"""

import http.client
import json
import threading
import zlib
from dataclasses import dataclass
from enum import Enum
from typing import Any
from urllib.parse import urlsplit

from loader import tls
from loader.errors import reason

TARGET = "DynamoDB_20120810.BatchWriteItem"
CONNECT_SECONDS = 10
FIRST_5XX = 500
THROTTLES = frozenset(
    {
        "ProvisionedThroughputExceededException",
        "ThrottlingException",
        "RequestLimitExceeded",
        "LimitExceededException",
    }
)
# Signing again may mend these: the credentials were refreshed, or the clock caught up.
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.Errors.html
RENEWABLE = frozenset({"ExpiredTokenException", "ExpiredToken", "RequestExpired"})


class Trouble(Enum):
    """What a failed request says about trying again."""

    THROTTLED = "throttled"
    TRANSIENT = "transient"
    PERMANENT = "permanent"


@dataclass(frozen=True)
class Answer:
    """The outcome of one request: what it consumed and gave back, or its trouble and cause."""

    consumed: float = 0.0
    unprocessed: tuple[dict[str, Any], ...] = ()
    trouble: Trouble | None = None
    error: str = ""
    cause: str = ""


@dataclass(frozen=True)
class Endpoint:
    """Where a table is: picklable, credentials are looked up where the requests are made."""

    url: str
    region: str
    table: str


class Sender:
    """Signs and sends BatchWriteItem bodies, one keep-alive connection a thread."""

    def __init__(self, endpoint: Endpoint) -> None:
        from botocore.auth import SigV4Auth
        from botocore.awsrequest import AWSRequest
        from botocore.session import Session

        self._request, self._auth = AWSRequest, SigV4Auth
        # None where AWS's chain of sources has none; send() then says so.
        self._credentials: Any = Session().get_credentials()
        self._endpoint = endpoint
        self._parts = urlsplit(endpoint.url)
        self._tls = tls.context() if self._parts.scheme == "https" else None
        self._local = threading.local()

    def send(self, body: bytes) -> Answer:
        """One request, one answer; never raises for what the network or the service does."""
        if self._credentials is None:
            return Answer(
                trouble=Trouble.PERMANENT,
                error="NoCredentials",
                cause="AWS credentials must be set, got none",
            )
        try:
            connection = self._connection()
            connection.request("POST", "/", body, self._headers(body))
            response = connection.getresponse()
            return read_answer(response.status, dict(response.headers), response.read())
        except (OSError, http.client.HTTPException) as error:
            self._drop()
            return Answer(
                trouble=Trouble.TRANSIENT,
                error=type(error).__name__,
                cause=f"{self._endpoint.url}: {error or type(error).__name__}",
            )

    def _headers(self, body: bytes) -> dict[str, str]:
        headers = {"X-Amz-Target": TARGET, "Content-Type": "application/x-amz-json-1.0"}
        request = self._request("POST", self._endpoint.url, headers=headers, data=body)
        # Frozen now: refreshable credentials renew themselves here when they are due.
        frozen = self._credentials.get_frozen_credentials()
        self._auth(frozen, "dynamodb", self._endpoint.region).add_auth(request)
        return dict(request.headers)

    def _connection(self) -> http.client.HTTPConnection:
        connection: http.client.HTTPConnection | None = getattr(self._local, "connection", None)
        if connection is None:
            host = self._parts.hostname or ""
            if self._tls:
                connection = http.client.HTTPSConnection(
                    host, self._parts.port, timeout=CONNECT_SECONDS, context=self._tls
                )
            else:
                connection = http.client.HTTPConnection(
                    host, self._parts.port, timeout=CONNECT_SECONDS
                )
            # http.client sets TCP_NODELAY whenever it connects: a request is one write of headers
            # and one of body, and Nagle would hold the second.
            self._local.connection = connection
        return connection

    def _drop(self) -> None:
        connection = getattr(self._local, "connection", None)
        if connection is not None:
            connection.close()
        self._local.connection = None


def read_answer(status: int, headers: dict[str, str], body: bytes) -> Answer:
    """Classify a response; a body that does not match its CRC counts as not received."""
    expected = next((v for k, v in headers.items() if k.lower() == "x-amz-crc32"), None)
    if expected is not None and expected != str(zlib.crc32(body)):
        return Answer(
            trouble=Trouble.TRANSIENT,
            error="ChecksumError",
            cause=f"response must have the CRC {expected}, got {zlib.crc32(body)}",
        )
    document = _json_object(body)
    if status == http.client.OK and "UnprocessedItems" in document:
        given_back = document["UnprocessedItems"] or {}
        left = [request for requests in given_back.values() for request in requests]
        capacity = document.get("ConsumedCapacity") or ()
        return Answer(sum(c.get("CapacityUnits", 0.0) for c in capacity), tuple(left))
    error = str(document.get("__type", "")).rpartition("#")[2] or f"HTTP {status}"
    message = (
        document.get("message") or document.get("Message") or body[:200].decode("utf-8", "replace")
    )
    return Answer(trouble=_trouble(status, error), error=error, cause=f"{error}: {reason(message)}")


def _json_object(body: bytes) -> dict[str, Any]:
    """The body's object; an empty one for anything else, as a proxy's page or a bare string."""
    try:
        document = json.loads(body)
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}


def _trouble(status: int, error: str) -> Trouble:
    if error in THROTTLES or status == http.client.TOO_MANY_REQUESTS:
        return Trouble.THROTTLED
    # An OK without its fields is no answer of DynamoDB.
    passing = status in (http.client.OK, http.client.REQUEST_TIMEOUT) or status >= FIRST_5XX
    return Trouble.TRANSIENT if passing or error in RENEWABLE else Trouble.PERMANENT
