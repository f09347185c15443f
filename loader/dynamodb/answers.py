"""Answers of BatchWriteItem, classified."""

import http.client
import json
import zlib
from dataclasses import dataclass
from enum import Enum
from typing import Any

from loader.errors import reason

THROTTLES = frozenset(
    {
        "ProvisionedThroughputExceededException",
        "ThrottlingException",
        "RequestLimitExceeded",
        "LimitExceededException",
    }
)

# Signing again may help: with new credentials, or with the current time.
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.Errors.html
EXPIRED_CREDENTIALS = frozenset({"ExpiredTokenException", "ExpiredToken", "RequestExpired"})

# Another Region writes the same item of a global table with strong consistency.
CONFLICTS = frozenset({"ReplicatedWriteConflictException"})

# Errors of one item, or of all items of its partition key; the rest of the batch is good.
# https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchWriteItem.html
ITEM_ERRORS = frozenset({"ValidationException", "ItemCollectionSizeLimitExceededException"})


class FailureKind(Enum):
    """Whether a failed request may be sent again: throttled and transient ones may."""

    THROTTLED = "throttled"
    TRANSIENT = "transient"
    PERMANENT = "permanent"


@dataclass(frozen=True)
class Answer:
    """The write units and unprocessed changes of one request, or its failure."""

    consumed: float = 0.0
    unprocessed: tuple[dict[str, Any], ...] = ()
    failure: FailureKind | None = None
    error: str = ""
    cause: str = ""


def read_answer(status: int, headers: dict[str, str], body: bytes) -> Answer:
    """Classify a response; `headers` by lower-case name. A body with a wrong CRC is a failure."""
    expected = headers.get("x-amz-crc32")
    if expected is not None and expected != str(zlib.crc32(body)):
        return Answer(
            failure=FailureKind.TRANSIENT,
            error="ChecksumError",
            cause=f"cannot read the answer: its CRC is {zlib.crc32(body)} instead of {expected}",
        )
    document = _json_object(body)
    if status == http.client.OK and "UnprocessedItems" in document:
        unprocessed = document["UnprocessedItems"] or {}
        returned = [request for requests in unprocessed.values() for request in requests]
        capacity = document.get("ConsumedCapacity") or ()
        return Answer(sum(c.get("CapacityUnits", 0.0) for c in capacity), tuple(returned))
    error = str(document.get("__type", "")).rpartition("#")[2] or f"HTTP {status}"
    message = (
        document.get("message") or document.get("Message") or body[:200].decode("utf-8", "replace")
    )
    return Answer(
        failure=_failure_kind(status, error), error=error, cause=f"{error}: {reason(message)}"
    )


def _json_object(body: bytes) -> dict[str, Any]:
    """The body's JSON object; empty for anything else, such as the HTML page of a proxy."""
    try:
        document = json.loads(body)
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}


def _failure_kind(status: int, error: str) -> FailureKind:
    if error in THROTTLES or status == http.client.TOO_MANY_REQUESTS:
        return FailureKind.THROTTLED
    # A response OK without DynamoDB's fields comes from elsewhere, such as a proxy.
    transient = (
        status in (http.client.OK, http.client.REQUEST_TIMEOUT)
        or status >= http.client.INTERNAL_SERVER_ERROR
    )
    transient = transient or error in EXPIRED_CREDENTIALS | CONFLICTS
    return FailureKind.TRANSIENT if transient else FailureKind.PERMANENT
