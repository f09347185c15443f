"""Keep-alive connections to the server behind the proxy, one request in flight on each."""

from __future__ import annotations

import asyncio
import time

from sandbox.capacity.messages import Message, read_message

HOST = "127.0.0.1"
# A server may close an idle connection while a request is under way to it.
IDLE_SECONDS = 2.0
STREAM_BYTES = 1 << 20

_Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Upstream:
    def __init__(self, port: int) -> None:
        self._port = port
        self._idle: list[tuple[float, _Connection]] = []

    async def send(self, request: Message) -> Message:
        """The answer to a request. Raises OSError or asyncio.IncompleteReadError."""
        reader, writer = await self._connection()
        try:
            writer.write(request.encode())
            answer = await read_message(reader)
        except BaseException:
            writer.close()
            raise
        if answer is None:
            writer.close()
            raise ConnectionResetError("the server behind the proxy closed the connection")
        if answer.headers.get("connection", "").lower() == "close":
            writer.close()
        else:
            self._idle.append((time.monotonic(), (reader, writer)))
        return answer

    async def _connection(self) -> _Connection:
        while self._idle:
            since, (reader, writer) = self._idle.pop()
            if time.monotonic() - since < IDLE_SECONDS and not reader.at_eof():
                return reader, writer
            writer.close()
        return await asyncio.open_connection(HOST, self._port, limit=STREAM_BYTES)

    def close(self) -> None:
        for _, (_, writer) in self._idle:
            writer.close()
