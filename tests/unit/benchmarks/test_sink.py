"""The sink counts the acknowledged items, delays its answers, and rejects malformed JSON."""

import http.client
import json
import time
import zlib
from collections.abc import Iterator

import pytest

from benchmarks import sink as sinks

TARGET = "DynamoDB_20120810."
PUT = '{"PutRequest":{"Item":{"user_id":{"S":"\\"PutRequest\\""}}}}'
GOOD = f'{{"RequestItems":{{"bench":[{PUT},{PUT}]}}}}'


@pytest.fixture(scope="module")
def sink(tmp_path_factory: pytest.TempPathFactory) -> Iterator[sinks.Sink]:
    with sinks.running(tmp_path_factory.mktemp("sink")) as running:
        yield running


def post(sink: sinks.Sink, body: str, operation: str = "BatchWriteItem") -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", sink.port)
    connection.request("POST", "/", body, {"X-Amz-Target": TARGET + operation})
    response = connection.getresponse()
    content = response.read()
    assert response.headers["x-amz-crc32"] == str(zlib.crc32(content))
    connection.close()
    return response.status, content


def test_items_are_counted_and_acknowledged(sink: sinks.Sink) -> None:
    sink.reset(delay_ms=0, check_every=1)
    assert post(sink, GOOD) == (200, b'{"UnprocessedItems":{}}')
    assert sink.counts() == sinks.Counts(1, 2, len(GOOD), 1, 0, 0)


def test_consumed_capacity_is_returned_on_request(sink: sinks.Sink) -> None:
    status, content = post(sink, GOOD[:-1] + ',"ReturnConsumedCapacity":"TOTAL"}')
    (consumed,) = json.loads(content)["ConsumedCapacity"]
    assert (status, consumed["CapacityUnits"]) == (200, 2.0)


def test_an_answer_is_delayed(sink: sinks.Sink) -> None:
    sink.reset(delay_ms=30)
    start = time.monotonic()
    post(sink, GOOD)
    assert 0.03 <= time.monotonic() - start < 0.5


def test_a_table_is_described_with_its_name(sink: sinks.Sink) -> None:
    status, content = post(sink, '{"TableName": "users"}', "DescribeTable")
    table = json.loads(content)["Table"]
    assert (status, table["TableName"], table["TableStatus"]) == (200, "users", "ACTIVE")


@pytest.mark.parametrize(
    "body",
    [
        "", "{", "[1,]", '{"a":1,}', '{"a" 1}', "{a:1}", '"\x01"', '"\\x"', '"\\u12g4"', '"open',
        "01", "1.", "1e", "-", "+1", "nul", "1 2", "[" * 65 + "]" * 65,
    ],
)  # fmt: skip
def test_malformed_json_is_rejected(sink: sinks.Sink, body: str) -> None:
    sink.reset(delay_ms=0, check_every=1)
    assert post(sink, body)[0] == 400
    assert (sink.counts().malformed, sink.counts().items) == (1, 0)


@pytest.mark.parametrize(
    "body",
    ["{}", " [ ] ", '{"a":[1,-0.5e+3,true,false,null,"\\u00e9\\n"]}', "0", '"é"', '{"a":{"b":{}}}'],
)
def test_valid_json_is_accepted(sink: sinks.Sink, body: str) -> None:
    sink.reset(delay_ms=0, check_every=1)
    assert post(sink, body)[0] == 200
