"""Answers of BatchWriteItem, classified."""

import http.client
import json
import zlib
from dataclasses import dataclass
from enum import Enum
from typing import Any

from loader.errors import reason

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
EXPIRED_CREDENTIALS = frozenset({"ExpiredTokenException", "ExpiredToken", "RequestExpired"})

# Of a global table with strong consistency, where another Region writes the same item.
CONFLICTS = frozenset({"ReplicatedWriteConflictException"})

# These speak of one item, or of the items of its partition key; the rest of the batch is good.
# https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchWriteItem.html
ITEM_ERRORS = frozenset({"ValidationException", "ItemCollectionSizeLimitExceededException"})


class FailureKind(Enum):
    """What a failed request says about trying again."""

    THROTTLED = "throttled"
    TRANSIENT = "transient"
    PERMANENT = "permanent"


@dataclass(frozen=True)
class Answer:
    """The outcome of one request: what it consumed and gave back, or its trouble and cause."""

    consumed: float = 0.0
    unprocessed: tuple[dict[str, Any], ...] = ()
    failure: FailureKind | None = None
    error: str = ""
    cause: str = ""


def read_answer(status: int, headers: dict[str, str], body: bytes) -> Answer:
    """Classify a response, whose headers are named in lower case.

    A body that does not match its CRC counts as not received.
    """
    expected = headers.get("x-amz-crc32")
    if expected is not None and expected != str(zlib.crc32(body)):
        return Answer(
            failure=FailureKind.TRANSIENT,
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
    return Answer(
        failure=_failure_kind(status, error), error=error, cause=f"{error}: {reason(message)}"
    )


def _json_object(body: bytes) -> dict[str, Any]:
    """The body's object; an empty one for anything else, as a proxy's page or a bare string."""
    try:
        document = json.loads(body)
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}


def _failure_kind(status: int, error: str) -> FailureKind:
    if error in THROTTLES or status == http.client.TOO_MANY_REQUESTS:
        return FailureKind.THROTTLED
    # An OK without its fields is no answer of DynamoDB.
    passing = status in (http.client.OK, http.client.REQUEST_TIMEOUT) or status >= FIRST_5XX
    passing = passing or error in EXPIRED_CREDENTIALS | CONFLICTS
    return FailureKind.TRANSIENT if passing else FailureKind.PERMANENT
