"""Reading a segment, against answers in memory."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import pytest

from loader.dynamodb.answers import Answer, FailureKind
from loader.dynamodb.read_rate import Pace
from loader.dynamodb.reader import Reader
from loader.dynamodb.retries import RetryBudget
from loader.dynamodb.scan import Segment, scan
from loader.errors import ReadFailed

THROTTLED = Answer(failure=FailureKind.THROTTLED, error="ThrottlingException", cause="slow down")
LOST = Answer(failure=FailureKind.TRANSIENT, error="TimeoutError", cause="timed out")
EXPIRED = Answer(
    failure=FailureKind.TRANSIENT, error="ExpiredTokenException", cause="the token expired"
)


@dataclass
class Table:
    """A transport that answers with these, one after the other; time passes only in sleeps."""

    answers: list[Answer]
    requests: list[dict[str, Any]] = field(default_factory=list)
    renewed: int = 0
    now: float = 0.0
    sent_at: list[float] = field(default_factory=list)

    def send(self, number: int, body: bytes) -> None:
        self.requests.append(json.loads(body))
        self.sent_at.append(self.now)

    def poll(self, seconds: float | None) -> list[tuple[int, Answer]]:
        return [(0, self.answers.pop(0))]

    def renew(self) -> None:
        self.renewed += 1

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def reader(self, rate: float = 10.0, retry_seconds: float = 60.0) -> Reader:
        budget = RetryBudget(retry_seconds, lambda: self.now)
        pace = Pace(rate, lambda: self.now, self.sleep)
        return Reader(self, "items", budget, pace, self.sleep)


def item(n: int) -> dict[str, Any]:
    return {"k": {"N": str(n)}}


def page(units: float, *numbers: int, last: bool = False) -> Answer:
    document: dict[str, Any] = {"Items": [item(n) for n in numbers], "Count": len(numbers)}
    if not last:
        document["LastEvaluatedKey"] = item(numbers[-1] if numbers else 99)
    return Answer(units, document=document)


def test_a_segment_is_read_page_by_page_until_there_is_no_further_key() -> None:
    table = Table([page(1, 1, 2), page(1), page(1, 3, last=True)])

    pages = list(scan(table.reader(), Segment(3, 8)))

    assert pages == [[item(1), item(2)], [], [item(3)]]
    first, second, third = table.requests
    assert first == {
        "TableName": "items",
        "Segment": 3,
        "TotalSegments": 8,
        "Limit": 10,
        "ConsistentRead": True,
        "ReturnConsumedCapacity": "TOTAL",
    }
    assert second["ExclusiveStartKey"] == item(2)
    assert third["ExclusiveStartKey"] == item(99)


def test_a_page_has_about_the_items_of_one_second() -> None:
    table = Table([page(80, *range(10)), page(8, 1), page(0.5, 1), page(1, last=True)])

    list(scan(table.reader(rate=10), Segment(0, 1)))

    assert [request["Limit"] for request in table.requests] == [10, 1, 1, 4]
    assert table.sent_at == pytest.approx([0.0, 8.0, 8.8, 8.85])


def test_a_page_is_never_more_than_dynamodb_returns() -> None:
    table = Table([page(128, *range(256)), page(1, last=True)])

    list(scan(table.reader(rate=100_000), Segment(0, 1)))

    assert [request["Limit"] for request in table.requests] == [256, 512]


def test_a_throttled_and_a_lost_request_are_sent_again() -> None:
    table = Table([THROTTLED, LOST, page(1, 1, last=True)])
    reader = table.reader()

    assert list(scan(reader, Segment(0, 1))) == [[item(1)]]
    assert table.requests[0] == table.requests[1] == table.requests[2]
    assert (reader.requests, reader.throttled, reader.consumed) == (3, 1, 1.0)


def test_expired_credentials_are_searched_for_again() -> None:
    table = Table([EXPIRED, page(1, 1, last=True)])

    assert list(scan(table.reader(), Segment(0, 1))) == [[item(1)]]
    assert table.renewed == 1


def test_a_table_that_does_not_answer_is_given_up_after_the_retry_budget() -> None:
    table = Table([LOST] * 1_000)

    with pytest.raises(ReadFailed) as failed:
        list(scan(table.reader(retry_seconds=60), Segment(0, 1)))

    assert str(failed.value) == (
        "cannot read the items of table items for 60 s: timed out. "
        "Nothing was written: fix the cause, then run the command again"
    )
    assert table.now >= 60


def test_a_missing_permission_is_not_retried() -> None:
    denied = Answer(
        failure=FailureKind.PERMANENT,
        error="AccessDeniedException",
        cause="AccessDeniedException: not authorized to perform dynamodb:Scan",
    )
    table = Table([denied])

    with pytest.raises(ReadFailed) as failed:
        list(scan(table.reader(), Segment(0, 1)))

    assert str(failed.value) == (
        "cannot read the items of table items: AccessDeniedException: not authorized to perform "
        "dynamodb:Scan. Grant docs/iam/dynamodb-verify.json, also to the executors"
    )
