"""The same seed must give the same faults; `make faults` tests what the faults do."""

import asyncio

from tests.support.dynamodb_faults import none
from tests.support.fault_proxies import DynamoDBProxy, WarehouseProxy
from tests.support.http_messages import Message, read_message


def test_a_seed_decides_what_happens_to_the_nth_request() -> None:
    def numbers(seed: int) -> list[float]:
        proxy = DynamoDBProxy(1, none, seed)
        return [proxy.random_of(number).random() for number in range(20)]

    assert numbers(1) == numbers(1)
    assert numbers(1) != numbers(2)
    assert len(set(numbers(1))) == 20


def test_a_seed_decides_where_a_fault_begins() -> None:
    onsets = [DynamoDBProxy(1, none, seed).onset for seed in range(50)]
    chosen = [WarehouseProxy(1, seed).chosen for seed in range(50)]

    assert onsets == [DynamoDBProxy(1, none, seed).onset for seed in range(50)]
    assert (min(onsets), max(onsets), set(chosen)) == (5, 15, {1, 2, 3})


def test_a_message_is_written_with_the_length_of_its_body_and_read_back() -> None:
    async def read(data: bytes) -> list[Message | None]:
        stream = asyncio.StreamReader()
        stream.feed_data(data)
        stream.feed_eof()
        return [await read_message(stream) for _ in range(3)]

    response = Message(
        "HTTP/1.1 200 OK", {"x-amz-crc32": "7", "content-length": "9"}, b'{"a":"\xc3\xa9"}'
    )
    request = Message("POST / HTTP/1.1", {}, b"")

    messages = asyncio.run(read(response.encode() + request.encode()))

    assert messages == [
        Message(response.first, {"x-amz-crc32": "7", "content-length": "10"}, response.body),
        Message(request.first, {"content-length": "0"}, b""),
        None,
    ]
