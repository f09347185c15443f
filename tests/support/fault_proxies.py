"""Proxies in front of the sandbox's servers that inject faults.

    loader  →  DynamoDBProxy   →  emulator              the faults of `dynamodb_faults`
    driver  →  WarehouseProxy  →  shim, PostgreSQL      dropped connections, failing queries

The seed decides what happens to the n-th BatchWriteItem request, or to the n-th query of a range
of partitions. (Which batch is the n-th depends on the threads.) All other requests are forwarded.
"""

from __future__ import annotations

import asyncio
import json
import random
import re
import socket
import struct
import threading
import zlib
from collections.abc import Awaitable, Callable
from concurrent.futures import CancelledError
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from tests.support.http_messages import Message, read_message

HOST = "127.0.0.1"
CHUNK_BYTES = 64 * 1024
PREFIX = "com.amazonaws.dynamodb.v20120810#"
# Marks the query of a range of partitions; the queries of the schema have no range.
RANGE = b'WHERE "partition_id"'
BROKEN_RANGE = b'WHERE "partition_??"'


class Peer(NamedTuple):
    """The connection with the client of a proxy, or with the server behind it."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter


class Proxy:
    """Listen on a free port in a thread with an event loop, as a context manager."""

    def __init__(self, upstream_port: int, seed: int = 0) -> None:
        self.upstream_port, self.seed = upstream_port, seed
        self.port = 0
        self.fault_count = 0
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()

    def __enter__(self) -> Any:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self.open(), self._loop).result()
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def random_of(self, number: int) -> random.Random:
        """The random generator of the n-th request: the same in every run with this seed."""
        return random.Random(f"{self.seed} {number}")  # noqa: S311  faults, not secrets

    async def open(self) -> None:
        """Listen; again on the same port after `close`."""
        self._server = await asyncio.start_server(self._serve, HOST, self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    def close(self) -> None:
        """Refuse new connections and reset the open ones."""
        if self._server:
            self._server.close()
        for writer in self._writers:
            reset(writer)

    async def _end(self) -> None:
        self.close()
        here = asyncio.current_task()
        tasks = [task for task in asyncio.all_tasks() if task is not here]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        upstream = None
        try:
            upstream = Peer(*await asyncio.open_connection(HOST, self.upstream_port))
            await self.relay(Peer(reader, writer), upstream)
        except (OSError, asyncio.IncompleteReadError):
            reset(writer)  # one of the two peers is gone: reset the other
        except (asyncio.CancelledError, CancelledError):
            reset(writer)  # the proxy ends
        finally:
            self._writers.discard(writer)
            writer.close()
            if upstream:
                upstream.writer.close()

    async def relay(self, client: Peer, upstream: Peer) -> None:
        raise NotImplementedError


def reset(writer: asyncio.StreamWriter) -> None:
    """End a connection as a crashed peer does: with RST, and data in flight is lost."""
    connection = writer.get_extra_info("socket")
    if connection is not None and connection.fileno() >= 0:
        linger = struct.pack("ii", 1, 0)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    writer.transport.abort()


@dataclass
class Exchange:
    """The n-th BatchWriteItem request (from 1), with the actions of a fault."""

    proxy: DynamoDBProxy
    number: int
    request: Message
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    client: asyncio.StreamWriter
    random: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self.random = self.proxy.random_of(self.number)

    def is_hit(self, probability: float) -> bool:
        """Decide whether the fault hits this request, and count it if so."""
        if self.random.random() >= probability:
            return False
        self.proxy.count_fault()
        return True

    async def forward(self, request: Message | None = None) -> Message:
        """Send the request to the emulator and return its response."""
        self.writer.write((request or self.request).encode())
        await self.writer.drain()
        response = await read_message(self.reader)
        if response is None:
            raise ConnectionResetError("the emulator closed the connection")
        return response

    def respond(self, message: Message) -> None:
        self.client.write(message.encode())

    async def forward_unchanged(self) -> None:
        self.respond(await self.forward())

    def respond_error(self, status: int, error: str, message: str) -> None:
        self.respond_json(status, {"__type": PREFIX + error, "message": message})

    def respond_json(self, status: int, document: dict[str, Any]) -> None:
        body = json.dumps(document).encode()
        headers = {
            "content-type": "application/x-amz-json-1.0",
            "x-amz-crc32": str(zlib.crc32(body)),
        }
        self.respond(Message(f"HTTP/1.1 {status} Fault", headers, body))

    def reset(self) -> None:
        reset(self.client)

    @property
    def key_id(self) -> bytes:
        """The access key id that signed the request."""
        match = re.search("Credential=([^/]+)/", self.request.headers["authorization"])
        return match[1].encode() if match else b"none"


Fault = Callable[[Exchange], Awaitable[None]]


class DynamoDBProxy(Proxy):
    """HTTP in front of the emulator; every BatchWriteItem request goes through the fault.

    `on_fault` is called in the proxy's thread with the number of faults, before each takes effect.
    """

    def __init__(
        self,
        upstream_port: int,
        fault: Fault,
        seed: int = 0,
        on_fault: Callable[[int], None] = lambda _: None,
    ) -> None:
        super().__init__(upstream_port, seed)
        self.fault, self.on_fault = fault, on_fault
        self.requests = 0
        self.expired_key_id = self.rejected_key = b""
        # The request where a fault begins: not the first one, and not after the last.
        self.onset = self.random_of(0).randint(5, 15)

    def count_fault(self) -> None:
        self.fault_count += 1
        self.on_fault(self.fault_count)

    async def relay(self, client: Peer, upstream: Peer) -> None:
        while request := await read_message(client.reader):
            number = 0
            if request.headers.get("x-amz-target", "").endswith(".BatchWriteItem"):
                self.requests += 1
                number = self.requests
            exchange = Exchange(self, number, request, *upstream, client.writer)
            await (self.fault(exchange) if number else exchange.forward_unchanged())
            if client.writer.is_closing():
                return
            await client.writer.drain()


class WarehouseProxy(Proxy):
    """TCP in front of the shim; disturbs one of the first three queries of a range of partitions.

    `drops` resets the connection after some of the rows; `breaks` turns the statement into one
    that the warehouse rejects. With `always`, each later query of the same range is hit too.
    """

    def __init__(
        self,
        upstream_port: int,
        seed: int = 0,
        *,
        drops: bool = False,
        breaks: bool = False,
        always: bool = False,
    ) -> None:
        super().__init__(upstream_port, seed)
        self.drops, self.breaks, self.always = drops, breaks, always
        self.queries = 0
        self.chosen = self.random_of(0).randint(1, 3)
        self.drop_after = self.random_of(1).randint(1_000, 200_000)
        self._range = b""

    async def relay(self, client: Peer, upstream: Peer) -> None:
        doomed = asyncio.Event()
        pumps = (
            asyncio.create_task(self._requests(client.reader, upstream.writer, doomed)),
            asyncio.create_task(self._rows(upstream.reader, client.writer, doomed)),
        )
        done, pending = await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        for task in pending:
            task.cancel()
        await asyncio.gather(*pumps, return_exceptions=True)
        for task in done:
            task.result()

    async def _requests(
        self, reader: asyncio.StreamReader, to_upstream: asyncio.StreamWriter, doomed: asyncio.Event
    ) -> None:
        while chunk := await reader.read(CHUNK_BYTES):
            if RANGE in chunk and self._is_chosen(chunk):
                if self.breaks:
                    self.fault_count += 1
                    chunk = chunk.replace(RANGE, BROKEN_RANGE)
                if self.drops:
                    doomed.set()
            to_upstream.write(chunk)
            await to_upstream.drain()

    def _is_chosen(self, chunk: bytes) -> bool:
        self.queries += 1
        condition = chunk[chunk.index(RANGE) :].partition(b"\0")[0]
        if self.queries == self.chosen:
            self._range = condition
            return True
        return self.always and condition == self._range

    async def _rows(
        self,
        from_upstream: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        doomed: asyncio.Event,
    ) -> None:
        forwarded = 0
        while chunk := await from_upstream.read(CHUNK_BYTES):
            writer.write(chunk)
            await writer.drain()
            forwarded += len(chunk) if doomed.is_set() else 0
            if doomed.is_set() and forwarded > self.drop_after:
                self.fault_count += 1
                reset(writer)
                raise ConnectionResetError("the fault dropped the connection")
