from __future__ import annotations

import asyncio
import json
import zlib

import pytest

from sandbox.capacity.messages import Message, json_answer, read_message


def read(text: bytes) -> Message | None:
    async def feed() -> Message | None:
        reader = asyncio.StreamReader()
        reader.feed_data(text)
        reader.feed_eof()
        return await read_message(reader)

    return asyncio.run(feed())


@pytest.mark.parametrize(
    ("framing", "body"),
    [
        (b"Content-Length: 5\r\n\r\nhello", b"hello"),
        (b"\r\n", b""),
        (b"Transfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3;x=y\r\nllo\r\n0\r\n\r\n", b"hello"),
        (b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nTrailer: 1\r\n\r\n", b"hello"),
    ],
)
def test_a_message_is_read_whatever_its_framing(framing: bytes, body: bytes) -> None:
    message = read(b"POST / HTTP/1.1\r\nX-Name: a\r\n" + framing)
    assert message is not None
    assert (message.first, message.headers["x-name"], message.body) == (
        "POST / HTTP/1.1",
        "a",
        body,
    )


def test_a_message_is_written_with_the_length_that_its_body_has_now() -> None:
    headers = {"x-name": "a", "content-length": "99", "transfer-encoding": "chunked"}
    text = Message("HTTP/1.1 200 OK", headers, b"hello").encode()
    assert text == b"HTTP/1.1 200 OK\r\nx-name: a\r\ncontent-length: 5\r\n\r\nhello"


def test_the_end_of_a_connection_is_no_message() -> None:
    assert read(b"") is None
    with pytest.raises(asyncio.IncompleteReadError):
        read(b"POST / HT")


def test_an_answer_has_the_checksum_of_its_body() -> None:
    answer = json_answer(400, {"message": "no"})
    assert answer.status == 400
    assert answer.headers["x-amz-crc32"] == str(zlib.crc32(answer.body))
    assert json.loads(answer.body) == {"message": "no"}
