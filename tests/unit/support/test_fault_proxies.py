"""The fault proxies: the same faults for the same seed. What they do, `make faults` tries."""

import asyncio

from tests.support.fault_proxies import DynamoDBProxy, Message, WarehouseProxy, none, read_message


def test_the_nth_request_has_the_same_fate_in_every_run_of_a_seed() -> None:
    def fates(seed: int) -> list[float]:
        proxy = DynamoDBProxy(1, none, seed)
        return [proxy.chance(number).random() for number in range(20)]

    assert fates(1) == fates(1)
    assert fates(1) != fates(2)
    assert len(set(fates(1))) == 20


def test_where_a_fault_begins_is_of_the_seed() -> None:
    onsets = [DynamoDBProxy(1, none, seed).onset for seed in range(50)]
    chosen = [WarehouseProxy(1, seed).chosen for seed in range(50)]

    assert onsets == [DynamoDBProxy(1, none, seed).onset for seed in range(50)]
    assert (min(onsets), max(onsets), set(chosen)) == (5, 15, {1, 2, 3})


def test_a_message_is_read_as_it_was_written_with_the_length_of_its_body() -> None:
    async def read(data: bytes) -> list[Message | None]:
        stream = asyncio.StreamReader()
        stream.feed_data(data)
        stream.feed_eof()
        return [await read_message(stream) for _ in range(3)]

    one = Message(
        "HTTP/1.1 200 OK", {"x-amz-crc32": "7", "content-length": "9"}, b'{"a":"\xc3\xa9"}'
    )
    two = Message("POST / HTTP/1.1", {}, b"")

    found = asyncio.run(read(one.encode() + two.encode()))

    length = {"content-length": str(len(one.body))}
    assert found == [
        Message(one.first, {"x-amz-crc32": "7", **length}, one.body),
        Message(two.first, {"content-length": "0"}, b""),
        None,
    ]
