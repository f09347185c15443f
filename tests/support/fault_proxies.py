"""Faults of a network and of the services behind it, in front of the sandbox's own servers.

    loader  →  DynamoDBProxy   →  emulator              throttles, errors, resets, latency, …
    driver  →  WarehouseProxy  →  shim, PostgreSQL      dropped connections, failing queries

Each fault is deterministic by its seed: the n-th BatchWriteItem request, or the n-th query of a
range of partitions, always gets the same. (Which batch is the n-th depends on the threads.) Only
these two are disturbed; all other requests pass.
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
from typing import Any

HOST = "127.0.0.1"
CHUNK_BYTES = 64 * 1024
PREFIX = "com.amazonaws.dynamodb.v20120810#"
THROTTLES = ("ProvisionedThroughputExceededException", "ThrottlingException")
# What marks the query of a range of partitions; the queries of the schema have no range.
RANGE = b'WHERE "partition_id"'
BROKEN_RANGE = b'WHERE "partition_??"'


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
    """The next message, None at the end of the stream; its body must have a Content-Length."""
    try:
        head = await stream.readuntil(b"\r\n\r\n")
    except (asyncio.IncompleteReadError, ConnectionError):
        return None
    first, *lines = head.decode("latin-1").strip().split("\r\n")
    pairs = (line.partition(":") for line in lines)
    headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
    body = await stream.readexactly(int(headers.get("content-length", 0)))
    return Message(first, headers, body)


class Proxy:
    """A listener on a free port, in an event loop and thread of its own; a context manager."""

    def __init__(self, upstream_port: int, seed: int = 0) -> None:
        self.upstream_port, self.seed = upstream_port, seed
        self.port = 0
        self.strikes = 0
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

    def chance(self, number: int) -> random.Random:
        """The dice of the n-th request: the same in every run of this seed."""
        return random.Random(f"{self.seed} {number}")  # noqa: S311  faults, not secrets

    async def open(self) -> None:
        """Listen, on the port of the last time."""
        self._server = await asyncio.start_server(self._serve, HOST, self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    def close(self) -> None:
        """Refuse connections, and reset those that are there."""
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
            upstream = await asyncio.open_connection(HOST, self.upstream_port)
            await self.relay(reader, writer, *upstream)
        except (OSError, asyncio.IncompleteReadError):
            reset(writer)  # one of the two is gone, and so is the other
        except (asyncio.CancelledError, CancelledError):
            reset(writer)  # the proxy ends
        finally:
            self._writers.discard(writer)
            for each in (writer, *([upstream[1]] if upstream else [])):
                each.close()

    async def relay(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        from_upstream: asyncio.StreamReader,
        to_upstream: asyncio.StreamWriter,
    ) -> None:
        raise NotImplementedError


def reset(writer: asyncio.StreamWriter) -> None:
    """End a connection as a crashed peer does: with RST, what was in flight is lost."""
    connection = writer.get_extra_info("socket")
    if connection is not None and connection.fileno() >= 0:
        linger = struct.pack("ii", 1, 0)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    writer.transport.abort()


@dataclass
class Exchange:
    """The n-th BatchWriteItem request (from 1), and what a fault can do with it."""

    proxy: DynamoDBProxy
    number: int
    request: Message
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    client: asyncio.StreamWriter
    random: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self.random = self.proxy.chance(self.number)

    def strikes(self, probability: float) -> bool:
        if self.random.random() >= probability:
            return False
        self.proxy.struck()
        return True

    async def forward(self, request: Message | None = None) -> Message:
        """What the emulator answers."""
        self.writer.write((request or self.request).encode())
        await self.writer.drain()
        answer = await read_message(self.reader)
        if answer is None:
            raise ConnectionResetError("the emulator hung up")
        return answer

    def answer(self, message: Message) -> None:
        self.client.write(message.encode())

    async def pass_on(self) -> None:
        self.answer(await self.forward())

    def refuse(self, status: int, error: str, message: str) -> None:
        self.tell(status, {"__type": PREFIX + error, "message": message})

    def tell(self, status: int, document: dict[str, Any]) -> None:
        body = json.dumps(document).encode()
        headers = {
            "content-type": "application/x-amz-json-1.0",
            "x-amz-crc32": str(zlib.crc32(body)),
        }
        self.answer(Message(f"HTTP/1.1 {status} Fault", headers, body))

    def reset(self) -> None:
        reset(self.client)

    @property
    def key_id(self) -> bytes:
        """Whose credentials signed the request."""
        found = re.search("Credential=([^/]+)/", self.request.headers["authorization"])
        return found[1].encode() if found else b"none"


Fault = Callable[[Exchange], Awaitable[None]]


class DynamoDBProxy(Proxy):
    """HTTP in front of the emulator; every BatchWriteItem goes through the fault.

    `on_strike` is called with the number of strikes, in the proxy's thread, before a strike acts.
    """

    def __init__(
        self,
        upstream_port: int,
        fault: Fault,
        seed: int = 0,
        on_strike: Callable[[int], None] = lambda _: None,
    ) -> None:
        super().__init__(upstream_port, seed)
        self.fault, self.on_strike = fault, on_strike
        self.requests = 0
        self.expired = self.marked = b""
        # Where a fault begins: not with the first request, and not after the last.
        self.onset = self.chance(0).randint(5, 15)

    def struck(self) -> None:
        self.strikes += 1
        self.on_strike(self.strikes)

    async def relay(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        from_upstream: asyncio.StreamReader,
        to_upstream: asyncio.StreamWriter,
    ) -> None:
        while request := await read_message(reader):
            number = 0
            if request.headers.get("x-amz-target", "").endswith(".BatchWriteItem"):
                self.requests += 1
                number = self.requests
            exchange = Exchange(self, number, request, from_upstream, to_upstream, writer)
            await (self.fault(exchange) if number else exchange.pass_on())
            if writer.is_closing():
                return
            await writer.drain()


async def none(x: Exchange) -> None:
    """Nothing happens."""
    await x.pass_on()


async def throttled(x: Exchange) -> None:
    """A third of the requests is throttled, by either name."""
    if x.strikes(0.35):
        x.refuse(400, x.random.choice(THROTTLES), "The level of throughput was exceeded")
    else:
        await x.pass_on()


async def unprocessed(x: Exchange) -> None:
    """Of half of the requests only some changes are written, at times none."""
    if not x.strikes(0.5):
        await x.pass_on()
        return
    document = json.loads(x.request.body)
    ((table, changes),) = document["RequestItems"].items()
    x.random.shuffle(changes)
    written = x.random.randrange(len(changes))
    told: dict[str, Any] = {}
    if written:
        document["RequestItems"] = {table: changes[:written]}
        some = Message(x.request.first, x.request.headers, json.dumps(document).encode())
        told = json.loads((await x.forward(some)).body)
    told["UnprocessedItems"] = {table: changes[written:]}
    x.tell(200, told)


async def internal_error(x: Exchange) -> None:
    """A third of the requests ends with 500: before or after it was written."""
    if not x.strikes(0.35):
        await x.pass_on()
        return
    if x.random.random() < 0.5:
        await x.forward()
    x.refuse(500, "InternalServerError", "Internal server error")


async def unavailable(x: Exchange) -> None:
    """A third of the requests ends with 503, of DynamoDB or as a page of something between."""
    if not x.strikes(0.35):
        await x.pass_on()
    elif x.random.random() < 0.5:
        x.refuse(503, "ServiceUnavailable", "Service is unavailable")
    else:
        page = Message("HTTP/1.1 503 Busy", {"content-type": "text/html"}, b"<html>busy</html>")
        x.answer(page)


async def reset_before_write(x: Exchange) -> None:
    """A quarter of the connections is reset before the request has reached the table."""
    if x.strikes(0.25):
        x.reset()
    else:
        await x.pass_on()


async def reset_after_write(x: Exchange) -> None:
    """A quarter of the connections is reset after the write was applied, without an answer."""
    if x.strikes(0.25):
        await x.forward()
        x.reset()
    else:
        await x.pass_on()


async def wrong_crc(x: Exchange) -> None:
    """A third of the answers comes with a CRC that is not that of its body."""
    answer = await x.forward()
    if x.strikes(0.35):
        wrong = str(zlib.crc32(answer.body) ^ x.random.randint(1, 0xFFFF))
        answer = Message(answer.first, {**answer.headers, "x-amz-crc32": wrong}, answer.body)
    x.answer(answer)


async def slow(x: Exchange) -> None:
    """A fifth of the answers takes up to 2 seconds, one longer than the client waits."""
    answer = await x.forward()
    if x.number == x.proxy.onset:
        x.proxy.struck()
        await asyncio.sleep(12)
    elif x.strikes(0.2):
        await asyncio.sleep(x.random.uniform(0.2, 2))
    x.answer(answer)


async def expired_credentials(x: Exchange) -> None:
    """In the middle of the run the credentials expire, until others sign."""
    if x.number == x.proxy.onset:
        x.proxy.expired = x.key_id
    if x.key_id == x.proxy.expired:
        x.proxy.struck()
        x.refuse(400, "ExpiredTokenException", "The security token in the request is expired")
    else:
        await x.pass_on()


async def refused_for_seconds(x: Exchange) -> None:
    """In the middle of the run nobody listens for 3 seconds."""
    if x.number == x.proxy.onset:
        x.proxy.struck()
        x.proxy.close()
        await asyncio.sleep(3)
        await x.proxy.open()
    else:
        await x.pass_on()


async def dead(x: Exchange) -> None:
    """From the middle of the run on nobody listens any more."""
    if x.number >= x.proxy.onset:
        x.proxy.struck()
        x.proxy.close()
    else:
        await x.pass_on()


async def access_denied(x: Exchange) -> None:
    """From the middle of the run on the permission is gone."""
    if x.number >= x.proxy.onset:
        x.proxy.struck()
        x.refuse(400, "AccessDeniedException", "not authorized to perform dynamodb:BatchWriteItem")
    else:
        await x.pass_on()


async def invalid_item(x: Exchange) -> None:
    """DynamoDB refuses each request that has one certain item of the first batch."""
    if not x.proxy.marked:
        (changes,) = json.loads(x.request.body)["RequestItems"].values()
        item = x.random.choice(changes)["PutRequest"]["Item"]
        x.proxy.marked = json.dumps(next(v["S"] for v in item.values() if "S" in v)).encode()
    if x.proxy.marked in x.request.body:
        x.proxy.struck()
        x.refuse(400, "ValidationException", "One or more parameter values were invalid")
    else:
        await x.pass_on()


async def struck_at_onset(x: Exchange) -> None:
    """In the middle of the run `on_strike` is called, between a write and its answer."""
    answer = await x.forward()
    if x.number == x.proxy.onset:
        x.proxy.struck()
    x.answer(answer)


async def struck_from_onset(x: Exchange) -> None:
    """From the middle of the run on `on_strike` is called, between each write and its answer."""
    answer = await x.forward()
    if x.number >= x.proxy.onset:
        x.proxy.struck()
    x.answer(answer)


class WarehouseProxy(Proxy):
    """TCP in front of the shim, which knows the query of a range of partitions when it passes.

    `drops` ends the connection of the chosen query when a part of its rows has passed; `breaks`
    makes its statement one that the warehouse refuses. Chosen is one of the first three queries,
    and with `always` also each later one of the same range.
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
        self.chosen = self.chance(0).randint(1, 3)
        self.drop_after = self.chance(1).randint(1_000, 200_000)
        self._range = b""

    async def relay(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        from_upstream: asyncio.StreamReader,
        to_upstream: asyncio.StreamWriter,
    ) -> None:
        doomed = asyncio.Event()
        pumps = (
            asyncio.create_task(self._requests(reader, to_upstream, doomed)),
            asyncio.create_task(self._rows(from_upstream, writer, doomed)),
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
                    self.strikes += 1
                    chunk = chunk.replace(RANGE, BROKEN_RANGE)
                if self.drops:
                    doomed.set()
            to_upstream.write(chunk)
            await to_upstream.drain()

    def _is_chosen(self, chunk: bytes) -> bool:
        self.queries += 1
        asked = chunk[chunk.index(RANGE) :].partition(b"\0")[0]
        if self.queries == self.chosen:
            self._range = asked
            return True
        return self.always and asked == self._range

    async def _rows(
        self,
        from_upstream: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        doomed: asyncio.Event,
    ) -> None:
        passed = 0
        while chunk := await from_upstream.read(CHUNK_BYTES):
            writer.write(chunk)
            await writer.drain()
            passed += len(chunk) if doomed.is_set() else 0
            if doomed.is_set() and passed > self.drop_after:
                self.strikes += 1
                reset(writer)
                raise ConnectionResetError("the fault dropped the connection")
