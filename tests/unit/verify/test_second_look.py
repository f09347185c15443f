"""Keys that differ are read again, against answers in memory."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import pytest

from loader.dynamodb.answers import Answer
from loader.dynamodb.get_items import get_items
from loader.dynamodb.read_rate import ReadPace
from loader.dynamodb.reader import Reader
from loader.dynamodb.retries import RetryBudget
from loader.errors import ReadFailed
from loader.items.canonical import canonical_text
from loader.items.digest import digest
from loader.verify.comparison import Difference
from loader.verify.second_look import second_look
from loader.verify.tally import DIFFERENT, EXTRA, MISSING

ATTRIBUTES = ("k", "v")


@dataclass
class Table:
    """A transport that answers BatchGetItem from its items, of which it processes `most`."""

    items: list[dict[str, Any]] = field(default_factory=list)
    most: int = 100
    now: float = 0.0
    requests: list[int] = field(default_factory=list)
    _keys: list[dict[str, Any]] = field(default_factory=list)

    def send(self, number: int, body: bytes) -> None:
        ((_, request),) = json.loads(body)["RequestItems"].items()
        assert request["ConsistentRead"] is True
        self._keys = request["Keys"]
        self.requests.append(len(self._keys))

    def poll(self, seconds: float | None) -> list[tuple[int, Answer]]:
        read, rest = self._keys[: self.most], self._keys[self.most :]
        found = [item for item in self.items if {"k": item["k"]} in read]
        document: dict[str, Any] = {"Responses": {"items": found}, "UnprocessedKeys": {}}
        if rest:
            document["UnprocessedKeys"] = {"items": {"Keys": rest, "ConsistentRead": True}}
        return [(0, Answer(1.0, document=document))]

    def renew(self) -> None:
        raise AssertionError("the credentials are valid")

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def reader(self) -> Reader:
        def clock() -> float:
            return self.now

        return Reader(self, "items", RetryBudget(60.0, clock), ReadPace(), self.sleep)


def item(number: int, value: str) -> dict[str, Any]:
    return {"k": {"N": str(number)}, "v": {"S": value}}


def digest_of(number: int, value: str) -> bytes:
    return digest(canonical_text(item(number, value), ATTRIBUTES))


def difference(kind: str, number: int, expected: str | None) -> Difference:
    wanted = None if expected is None else digest_of(number, expected)
    return Difference(kind, f'"k":{{"N":"{number}"}}', wanted, b"before", 7)


def test_a_key_counts_as_what_it_is_when_it_is_read_again() -> None:
    table = Table([item(1, "new"), item(3, "old"), item(4, "new"), item(6, "x"), item(8, "old")])
    differences = [
        difference(MISSING, 1, "new"),  # written meanwhile
        difference(MISSING, 2, "new"),
        difference(MISSING, 3, "new"),  # written meanwhile, with another value
        difference(DIFFERENT, 4, "new"),  # written meanwhile
        difference(DIFFERENT, 5, "new"),  # deleted meanwhile
        difference(EXTRA, 6, None),
        difference(EXTRA, 7, None),  # deleted meanwhile
        difference(DIFFERENT, 8, "new"),
    ]

    look = second_look(table.reader(), differences, ("k",), ATTRIBUTES, examples=1)

    found = [(d.kind, json.loads(f"{{{d.key}}}")["k"]["N"], d.actual) for d in look.differences]
    assert found == [
        (MISSING, "2", None),
        (DIFFERENT, "3", digest_of(3, "old")),
        (MISSING, "5", None),
        (EXTRA, "6", digest_of(6, "x")),
        (DIFFERENT, "8", digest_of(8, "old")),
    ]
    assert look.settled == {MISSING: 1, DIFFERENT: 1, EXTRA: 1}
    assert look.moved == {
        (MISSING, MISSING): 1,
        (MISSING, DIFFERENT): 1,
        (DIFFERENT, MISSING): 1,
        (DIFFERENT, DIFFERENT): 1,
        (EXTRA, EXTRA): 1,
    }
    assert look.items == {'"k":{"N":"3"}': item(3, "old")}
    assert {d.place for d in look.differences} == {7}


def test_more_keys_than_a_batch_may_have_are_read_in_batches() -> None:
    table = Table([item(n, "v") for n in range(250)])

    pages = list(get_items(table.reader(), ({"k": {"N": str(n)}} for n in range(250))))

    assert table.requests == [100, 100, 50]
    assert [item for page in pages for item in page] == table.items


def test_keys_that_come_back_unprocessed_are_read_again() -> None:
    table = Table([item(n, "v") for n in range(30)], most=20)

    (page,) = get_items(table.reader(), ({"k": {"N": str(n)}} for n in range(30)))

    assert table.requests == [30, 10]
    assert page == table.items


def test_keys_that_always_come_back_unprocessed_end_the_read() -> None:
    table = Table([item(1, "v")], most=0)

    with pytest.raises(ReadFailed) as failed:
        list(get_items(table.reader(), [{"k": {"N": "1"}}]))

    assert str(failed.value) == (
        "cannot read the items of table items for 60 s: every key came back unprocessed. "
        "Nothing was written: give a lower --read-capacity, then run the command again"
    )
    assert table.now >= 60
