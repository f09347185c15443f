"""Reading a segment, against answers in memory."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any

import pytest

from loader.dynamodb.answers import Answer, FailureKind
from loader.dynamodb.read_rate import ReadPace
from loader.dynamodb.reader import Reader
from loader.dynamodb.retries import RetryBudget
from loader.dynamodb.scan import Segment, scan
from loader.errors import ReadFailed
from loader.pace.allowance import Allowance
from loader.pace.broker import Broker
from loader.pace.ceiling import Ceiling
from loader.pace.client import Address, Client
from loader.pace.messages import Key
from loader.pace.report import TABLE

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
        """Alone, without a driver: it has the whole rate as its fixed share."""
        budget = RetryBudget(retry_seconds, lambda: self.now)
        address = Address("127.0.0.1", 1, Key(), {TABLE: rate})
        client = Client(address, lambda: self.now, lambda _: None)
        return Reader(self, "items", budget, ReadPace(client, rate), self.sleep)


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


def test_a_page_has_fewer_items_after_one_that_took_more_units() -> None:
    table = Table([page(80, *range(10)), page(8, 1), page(0.5, 1), page(1, last=True)])

    list(scan(table.reader(rate=10), Segment(0, 1)))

    assert [request["Limit"] for request in table.requests][:3] == [10, 1, 1]


@pytest.mark.parametrize("rate", [10.0, 100.0, 2_000.0])
def test_pages_wait_until_the_rate_has_given_the_units_of_those_before(rate: float) -> None:
    units = [80.0, 8.0, 0.5, 1.0, *[rate / 10] * 40, 256.0, 0.0, 1.0]
    pages = [page(consumed, *range(200)) for consumed in units]
    table = Table([*pages, page(1, last=True)])

    list(scan(table.reader(rate=rate), Segment(0, 1)))

    before = [sum(units[: max(0, n - 1)]) for n in range(len(table.sent_at))]
    assert [
        (at, consumed)
        for at, consumed in zip(table.sent_at, before, strict=True)
        if consumed > rate * (at + 0.1)
    ] == []
    assert table.sent_at[-1] <= 1.1 * sum(units) / rate


def test_without_a_limit_pages_do_not_wait() -> None:
    table = Table([page(1e9, 1), page(1e9, 2), page(1, last=True)])
    reader = Reader(table, "items", RetryBudget(60.0, lambda: table.now), ReadPace(), table.sleep)

    list(scan(reader, Segment(0, 1)))

    assert (table.now, table.requests[0]["Limit"]) == (0.0, 256)


def test_a_task_that_has_lost_the_driver_reads_nothing_more() -> None:
    """Its part of the limit may be used by others."""
    table, key = Table([page(1, 1)]), Key()
    broker = Broker(Allowance({TABLE: Ceiling(1e6, 1e6)}, 0.0), key, "127.0.0.1")
    now = [0.0]
    client = Client(
        Address("127.0.0.1", broker.port, key, {TABLE: 1e6}), lambda: now[0], lambda _: None
    )
    broker.close()

    def sleep(seconds: float) -> None:
        now[0] += seconds

    budget = RetryBudget(60.0, lambda: now[0])
    with pytest.raises(ReadFailed) as failed:
        list(scan(Reader(table, "items", budget, ReadPace(client, 1e6), sleep), Segment(0, 1)))

    assert re.sub(
        r":\d+ for 10 s: .*\. Nothing", ":7700 for 10 s: …. Nothing", str(failed.value)
    ) == (
        "cannot read the items of table items: the task has lost the driver at 127.0.0.1:7700 for "
        "10 s: …. Nothing was written: fix the cause, then run the command again"
    )
    assert table.requests == []


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


def test_the_time_in_which_the_pace_allows_no_read_does_not_use_up_the_retry_budget() -> None:
    table = Table([page(610, 1), THROTTLED, THROTTLED, page(1, 2, last=True)])

    pages = list(scan(table.reader(rate=10, retry_seconds=60), Segment(0, 1)))

    assert pages == [[item(1)], [item(2)]]
    assert table.sent_at[-1] > 120


@pytest.mark.parametrize(
    ("cause", "remedy"),
    [
        (
            "not authorized to perform dynamodb:Scan on resource: table/KMS_items",
            "Grant docs/iam/dynamodb-verify.json, also to the executors",
        ),
        (
            "KMS key access denied error: com.amazonaws.services.kms.model.AWSKMSException: …",
            "Grant docs/iam/dynamodb-kms.json for the table's KMS key, also to the executors, and "
            "check the key's policy",
        ),
    ],
)
def test_a_missing_permission_is_not_retried(cause: str, remedy: str) -> None:
    denied = Answer(
        failure=FailureKind.PERMANENT,
        error="AccessDeniedException",
        cause=f"AccessDeniedException: {cause}",
    )
    table = Table([denied])

    with pytest.raises(ReadFailed) as failed:
        list(scan(table.reader(), Segment(0, 1)))

    assert str(failed.value) == (
        f"cannot read the items of table items: AccessDeniedException: {cause}. {remedy}"
    )
