"""HTTP/1.1 messages with a Content-Length, read and written as bytes."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass


@dataclass
class Message:
    """An HTTP/1.1 request or response: first line, headers by lower-case name, body."""

    first: str
    headers: dict[str, str]
    body: bytes

    def encode(self) -> bytes:
        headers = {**self.headers, "content-length": str(len(self.body))}
        lines = [self.first, *(f"{name}: {value}" for name, value in headers.items())]
        return "\r\n".join([*lines, "", ""]).encode("latin-1") + self.body


async def read_message(stream: asyncio.StreamReader) -> Message | None:
    """Read the next message; None at the end of the stream. The body must have a Content-Length."""
    try:
        head = await stream.readuntil(b"\r\n\r\n")
    except (asyncio.IncompleteReadError, ConnectionError):
        return None
    first, *lines = head.decode("latin-1").strip().split("\r\n")
    pairs = (line.partition(":") for line in lines)
    headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
    body = await stream.readexactly(int(headers.get("content-length", 0)))
    return Message(first, headers, body)
