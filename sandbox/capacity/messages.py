"""HTTP/1.1 requests and answers, read from and written to streams."""

from __future__ import annotations

import asyncio
import json
import zlib
from collections.abc import Mapping
from typing import Any, NamedTuple

LINE_END = b"\r\n"
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
# Names of one connection, not of the message.
HOP = ("connection", "content-length", "expect", "keep-alive", "transfer-encoding")
REASONS = {200: "OK", 400: "Bad Request", 404: "Not Found", 502: "Bad Gateway"}


class Message(NamedTuple):
    """First line, headers by lower-case name, and body."""

    first: str
    headers: Mapping[str, str]
    body: bytes

    def encode(self) -> bytes:
        lines = [self.first]
        lines += [f"{n}: {v}" for n, v in self.headers.items() if n not in HOP]
        lines += [f"content-length: {len(self.body)}", "", ""]
        return "\r\n".join(lines).encode("latin-1") + self.body

    @property
    def status(self) -> int:
        """Of an answer."""
        return int(self.first.split(" ", 2)[1])


def json_answer(status: int, document: Any) -> Message:
    """An answer as DynamoDB's."""
    body = json.dumps(document, separators=(",", ":")).encode()
    headers = {
        "content-type": "application/x-amz-json-1.0",
        "x-amz-crc32": str(zlib.crc32(body)),
        "x-amzn-requestid": "CAPACITY",
    }
    return Message(f"HTTP/1.1 {status} {REASONS[status]}", headers, body)


async def read_message(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter | None = None
) -> Message | None:
    """The next message; None at the end of the stream.

    `writer`: answer `Expect: 100-continue` there.
    """
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as error:
        if error.partial:
            raise
        return None
    first, *lines = head[:-4].decode("latin-1").split("\r\n")
    headers = {}
    for line in lines:
        name, _, value = line.partition(":")
        headers[name.lower()] = value.strip()
    if writer and "expect" in headers:
        writer.write(CONTINUE)
    if "chunked" in headers.get("transfer-encoding", ""):
        return Message(first, headers, await _chunks(reader))
    length = int(headers.get("content-length", 0))
    return Message(first, headers, await reader.readexactly(length) if length else b"")


async def _chunks(reader: asyncio.StreamReader) -> bytes:
    body = b""
    while size := int((await reader.readuntil(LINE_END)).partition(b";")[0], 16):
        body += await reader.readexactly(size)
        await reader.readuntil(LINE_END)
    while await reader.readuntil(LINE_END) != LINE_END:
        pass  # trailers
    return body
