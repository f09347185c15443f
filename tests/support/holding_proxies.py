"""A proxy that holds a request, so that a test can act at a known moment of a run."""

from __future__ import annotations

import asyncio
import re
import threading

from tests.support.fault_proxies import CHUNK_BYTES, Peer, Proxy

SECONDS = 60


class HoldingProxy(Proxy):
    """Forward bytes until the client has sent the pattern `after` times; then hold what it sends.

    `reached` is set at that moment, and `release` forwards what was held.
    """

    def __init__(self, upstream_port: int, pattern: bytes, after: int = 0) -> None:
        super().__init__(upstream_port)
        self.pattern, self.after = pattern, after
        self.reached = threading.Event()
        self._released = asyncio.Event()

    def wait(self) -> None:
        """Wait until the request is held."""
        assert self.reached.wait(SECONDS), f"no request with {self.pattern!r} came"

    def release(self) -> None:
        self._loop.call_soon_threadsafe(self._released.set)

    async def relay(self, client: Peer, upstream: Peer) -> None:
        pumps = (
            asyncio.create_task(self._pump(client.reader, upstream.writer, self.pattern)),
            asyncio.create_task(self._pump(upstream.reader, client.writer, b"")),
        )
        _, pending = await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        for task in pending:
            task.cancel()
        await asyncio.gather(*pumps, return_exceptions=True)

    async def _pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, pattern: bytes
    ) -> None:
        while chunk := await reader.read(CHUNK_BYTES):
            if pattern and re.search(pattern, chunk):
                self.after -= 1
                if self.after < 0:
                    self.reached.set()
                    await self._released.wait()
            writer.write(chunk)
            await writer.drain()
