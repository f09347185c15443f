import asyncio

from tests.support.http_messages import Message, read_message


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
