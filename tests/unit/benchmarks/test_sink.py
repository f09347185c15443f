"""The sink counts what a table would be charged, and knows whether two tables are equal."""

import http.client
import json
import time
import zlib
from collections.abc import Iterator
from typing import Any

import pytest

from benchmarks import sink as sinks
from benchmarks.errors import BenchmarkError
from benchmarks.sink import Contents

TARGET = "DynamoDB_20120810."
EMPTY = Contents(0, "0" * 16)


def put(user: str, *items: str, **attributes: Any) -> dict[str, Any]:
    elements = {"L": [{"S": item} for item in items]}
    return {"PutRequest": {"Item": {"user_id": {"S": user}, "items": elements, **attributes}}}


def delete(user: str) -> dict[str, Any]:
    return {"DeleteRequest": {"Key": {"user_id": {"S": user}}}}


def body(*changes: dict[str, Any], **members: Any) -> str:
    return json.dumps({"RequestItems": {"bench": changes}, **members})


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[sinks.Sink]:
    with sinks.running(tmp_path_factory.mktemp("sink")) as sink:
        yield sink


@pytest.fixture
def sink(running: sinks.Sink) -> sinks.Sink:
    running.clear()
    running.reset(delay_ms=0)
    return running


def post(sink: sinks.Sink, body: str, operation: str = "BatchWriteItem") -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", sink.port)
    connection.request("POST", "/", body.encode(), {"X-Amz-Target": TARGET + operation})
    response = connection.getresponse()
    content = response.read()
    assert response.headers["x-amz-crc32"] == str(zlib.crc32(content))
    connection.close()
    return response.status, content


def contents(sink: sinks.Sink, *changes: dict[str, Any]) -> Contents:
    """The contents of an empty table after the changes, one request each."""
    sink.clear()
    for change in changes:
        sink.write([change])
    return sink.counts().contents


def units(sink: sinks.Sink, change: dict[str, Any]) -> int:
    sink.reset(delay_ms=0)
    sink.write([change])
    return sink.counts().units


def test_changes_are_counted_and_acknowledged(sink: sinks.Sink) -> None:
    request = body(put("1", "a"), put("2", "b"), delete("3"))
    assert post(sink, request) == (200, b'{"UnprocessedItems":{}}')
    counts = sink.counts()
    assert counts == sinks.Counts(1, 2, 1, 3, len(request), 0, 0, 2, counts.digest)


def test_consumed_capacity_is_returned_on_request(sink: sinks.Sink) -> None:
    request = body(put("1", "a" * 2_000), delete("2"), ReturnConsumedCapacity="TOTAL")
    status, content = post(sink, request)
    (consumed,) = json.loads(content)["ConsumedCapacity"]
    assert (status, consumed["CapacityUnits"]) == (200, 3.0)


def test_write_units_are_those_of_the_larger_item(sink: sinks.Sink) -> None:
    assert units(sink, put("1", "a" * 1_500)) == 2
    assert units(sink, put("1", "a" * 2_500)) == 3
    assert units(sink, put("1", "a")) == 3
    assert units(sink, put("1", "a")) == 1
    assert units(sink, put("2", "a" * 5_000)) == 5
    assert units(sink, delete("2")) == 5
    assert units(sink, delete("2")) == 1


@pytest.mark.parametrize(
    "item",
    [
        # The names take 12 bytes, the key 1, the list 3, and each element 1 more than its bytes.
        put("1", "a" * 1_007),
        put("1", *["a" * 9] * 100, "a" * 7),
        put("1", "é" * 503 + "a"),
        put("1", "\n" * 1_007),
        put("1", "😀" * 251 + "abc"),
        put("1", m={"M": {"ab": {"S": "c" * 1_001}}}),
    ],
)
def test_an_item_has_the_size_that_dynamodb_counts(sink: sinks.Sink, item: dict[str, Any]) -> None:
    assert units(sink, item) == 1
    item["PutRequest"]["Item"]["user_id"]["S"] = "12"
    assert units(sink, item) == 2


def test_two_tables_with_the_same_items_have_the_same_contents(sink: sinks.Sink) -> None:
    one = contents(sink, put("1", "a", "b"), put("2", "c"))

    assert one == contents(sink, put("2", "c"), put("1", "b", "a"))
    assert one == contents(
        sink, put("1", "x"), put("3"), put("2", "c"), delete("3"), put("1", "b", "a")
    )
    assert one == contents(sink, put("1", "a", "b")) + contents(sink, put("2", "c"))
    assert contents(sink, put("1", "a"), delete("1"), delete("2")) == EMPTY


def test_an_escaped_character_equals_itself(sink: sinks.Sink) -> None:
    escaped = body(put("é", "😀\t€"))
    post(sink, escaped)
    first = sink.counts().contents
    sink.clear()
    post(sink, json.dumps(json.loads(escaped), ensure_ascii=False))
    assert sink.counts().contents == first


@pytest.mark.parametrize(
    "other",
    [
        put("1", "a"),
        put("1", "a", "b", "b"),
        put("2", "a", "b"),
        put("1", "ab"),
        put("1", x={"S": "a"}),
    ],
)
def test_another_item_has_other_contents(sink: sinks.Sink, other: dict[str, Any]) -> None:
    assert contents(sink, other) != contents(sink, put("1", "a", "b"))


def test_a_saved_table_is_restored(sink: sinks.Sink) -> None:
    saved = contents(sink, put("1", "a"))
    sink.save()
    sink.write([put("2", "b"), delete("1")])
    sink.restore()
    assert sink.counts().contents == saved


def test_many_items_are_kept(sink: sinks.Sink) -> None:
    sink.write(put(str(user)) for user in range(100_000))
    sink.write(delete(str(user)) for user in range(1, 100_000))
    assert sink.counts().contents == contents(sink, put("0"))


def test_an_answer_is_delayed(sink: sinks.Sink) -> None:
    sink.reset(delay_ms=30)
    start = time.monotonic()
    post(sink, body(put("1")))
    assert time.monotonic() - start >= 0.03


def test_a_table_is_described_with_its_name_and_items(sink: sinks.Sink) -> None:
    sink.write([put("1"), put("2")])
    status, content = post(sink, '{"TableName": "users"}', "DescribeTable")
    table = json.loads(content)["Table"]
    facts = (table["TableName"], table["TableStatus"], table["ItemCount"])
    assert (status, facts) == (200, ("users", "ACTIVE", 2))


@pytest.mark.parametrize(
    "value",
    [
        "", "{", "[1,]", '{"a":1,}', '{"a" 1}', "{a:1}", '"\x01"', '"\\x"', '"\\u12g4"', '"open',
        "01", "1.", "1e", "-", "+1", "nul", "1 2", "[" * 65 + "]" * 65,
    ],
)  # fmt: skip
def test_malformed_json_is_rejected(sink: sinks.Sink, value: str) -> None:
    assert post(sink, f'{body(put("1"))[:-1]},"a":{value}}}')[0] == 400
    assert (sink.counts().malformed, sink.counts().puts) == (1, 0)


@pytest.mark.parametrize(
    "value",
    ["{}", " [ ] ", '{"a":[1,-0.5e+3,true,false,null,"\\u00e9\\n"]}', "0", '"é"', '{"a":{"b":{}}}'],
)
def test_valid_json_is_accepted(sink: sinks.Sink, value: str) -> None:
    assert post(sink, f'{body(put("1"))[:-1]}, "a": {value} }}')[0] == 200


@pytest.mark.parametrize(
    "request_",
    [
        "",
        "{}",
        "[]",
        '{"RequestItems":{}}',
        '{"RequestItems":{"bench":[]}}',
        body(put("1")) + "1",
        body(put("1")).replace('"PutRequest"', '"Put"'),
        body({"PutRequest": {"Item": {"id": {"S": "1"}}}}),
        body(put("1", n={"N": 1})),
        body(put("1"), put("1", "a")),
        body(*[put(str(user)) for user in range(26)]),
    ],
)
def test_what_is_not_a_batch_of_changes_is_rejected(sink: sinks.Sink, request_: str) -> None:
    assert post(sink, request_)[0] == 400
    assert (sink.counts().malformed, sink.counts().contents) == (1, EMPTY)


def test_a_rejected_batch_ends_a_write(sink: sinks.Sink) -> None:
    with pytest.raises(BenchmarkError, match="must be a BatchWriteItem"):
        sink.write([put("1"), put("1")])
