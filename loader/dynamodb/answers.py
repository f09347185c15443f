"""Answers of DynamoDB, classified."""

import http.client
import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from loader.dynamodb.operations import BATCH_WRITE_ITEM, Operation
from loader.errors import reason
from loader.pace.report import TABLE, Throttle

# DynamoDB's throttling errors, and the others that botocore's retry mode "standard" has.
# https://docs.aws.amazon.com/sdkref/latest/guide/feature-retry-behavior.html
THROTTLES = frozenset(
    {
        "BandwidthLimitExceeded",
        "EC2ThrottledException",
        "LimitExceededException",
        "PriorRequestNotComplete",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestThrottledException",
        "SlowDown",
        "ThrottledException",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
    }
)

# Signing again may help: with new credentials, or with the current time.
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.Errors.html
EXPIRED_CREDENTIALS = frozenset({"ExpiredTokenException", "ExpiredToken", "RequestExpired"})

# Another write of the same item is in progress: a transaction's, or another Region's.
CONFLICTS = frozenset(
    {
        "ReplicatedWriteConflictException",
        "TransactionConflictException",
        "TransactionInProgressException",
    }
)

# Errors of DynamoDB, whatever the HTTP status that a gateway gives them.
SERVER_ERRORS = frozenset(
    {
        "InternalFailure",
        "InternalServerError",
        "RequestTimeout",
        "RequestTimeoutException",
        "ServiceUnavailable",
        "ServiceUnavailableException",
    }
)

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
    """The capacity units and unprocessed changes of one request, or its failure.

    `units` has the capacity units of the table and of each global index, if the request asked for
    them. `throttles` has the reasons of throttling that DynamoDB gave, without repetitions.
    `document` is the whole answer to a read, {} otherwise.
    """

    consumed: float = 0.0
    unprocessed: tuple[dict[str, Any], ...] = ()
    failure: FailureKind | None = None
    error: str = ""
    cause: str = ""
    units: Mapping[str, float] = field(default_factory=dict)
    throttles: tuple[Throttle, ...] = ()
    document: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @property
    def is_throttled(self) -> bool:
        """Whether DynamoDB refused all of the request, or some of its changes."""
        return self.failure is FailureKind.THROTTLED or bool(self.unprocessed)

    @property
    def all_throttles(self) -> tuple[Throttle, ...]:
        """`throttles`, or one without a reason: some changes come back without."""
        return self.throttles or ((Throttle(),) if self.is_throttled else ())


def read_answer(
    status: int, headers: dict[str, str], body: bytes, operation: Operation = BATCH_WRITE_ITEM
) -> Answer:
    """Classify a response; `headers` by lower-case name. A body with a wrong CRC is a failure."""
    expected = headers.get("x-amz-crc32")
    if expected is not None and expected != str(zlib.crc32(body)):
        return Answer(
            failure=FailureKind.TRANSIENT,
            error="ChecksumError",
            cause=f"cannot read the answer: its CRC is {zlib.crc32(body)} instead of {expected}",
        )
    document = _json_object(body)
    if status == http.client.OK and operation.result in document:
        capacity = document.get("ConsumedCapacity") or ()
        entries = [capacity] if isinstance(capacity, dict) else capacity
        consumed = float(sum(entry.get("CapacityUnits", 0.0) for entry in entries))
        units = _units(entries)
        if operation is not BATCH_WRITE_ITEM:
            return Answer(consumed, units=units, document=document)
        unprocessed = document["UnprocessedItems"] or {}
        returned = [request for requests in unprocessed.values() for request in requests]
        return Answer(consumed, tuple(returned), units=units)
    error = _error(document, headers) or f"HTTP {status}"
    message = (
        document.get("message") or document.get("Message") or body[:200].decode("utf-8", "replace")
    )
    return Answer(
        failure=_failure_kind(status, error),
        error=error,
        cause=f"{error}: {reason(message)}",
        throttles=_throttles(document),
    )


def _units(entries: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """Capacity units by resource; a local index consumes those of the table."""
    units: dict[str, float] = {}
    for entry in entries:
        if "Table" in entry:
            local = (entry.get("LocalSecondaryIndexes") or {}).values()
            units[TABLE] = sum(part.get("CapacityUnits", 0.0) for part in (entry["Table"], *local))
            for name, index in (entry.get("GlobalSecondaryIndexes") or {}).items():
                units[name] = index.get("CapacityUnits", 0.0)
    return units


def _throttles(document: Mapping[str, Any]) -> tuple[Throttle, ...]:
    """The reasons of throttling; their resources are ARNs, …:table/name or …/index/name."""
    listed = document.get("ThrottlingReasons") or document.get("throttlingReasons") or ()
    return tuple(
        dict.fromkeys(
            Throttle(str(entry.get("resource")).partition("/index/")[2], str(entry.get("reason")))
            for entry in listed
        )
    )


def _error(document: dict[str, Any], headers: dict[str, str]) -> str:
    """The name of the error; "" if the answer has none. An empty body leaves it to a header."""
    named = document.get("__type") or document.get("code") or headers.get("x-amzn-errortype", "")
    return str(named).rpartition("#")[2].partition(":")[0]


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
    transient = transient or error in EXPIRED_CREDENTIALS | CONFLICTS | SERVER_ERRORS
    return FailureKind.TRANSIENT if transient else FailureKind.PERMANENT
