"""The server: python -m sandbox.capacity.proxy UPSTREAM_PORT [--port N] [--delay-ms 5]

It prints the port that it listens on, and ends with SIGTERM; with --until-stdin-ends also when
the process that started it ends.

    PUT    /_capacity/limits   {"users": {"write": 500, "indexes": {"by_mail": {"write": 250}}}}
    GET    /_capacity/limits   units per second that each table and index can sustain
    PUT    /_capacity/delay    {"milliseconds": 5}
    GET    /_capacity/log      see `log`
    DELETE /_capacity/log      begin a new one

All else is DynamoDB's protocol.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import sys
import time
from collections.abc import Callable
from typing import Any

from sandbox.capacity.admission import Table
from sandbox.capacity.log import Log
from sandbox.capacity.messages import Message, json_answer, read_message
from sandbox.capacity.meter import Meter
from sandbox.capacity.operations import OPERATIONS, table_names
from sandbox.capacity.tables import Tables
from sandbox.capacity.upstream import HOST, STREAM_BYTES, Upstream

CONTROL = "/_capacity/"
TARGET = "DynamoDB_20120810."
OK = 200


class Proxy:
    def __init__(self, upstream: Upstream, delay: float) -> None:
        self._upstream, self._delay = upstream, delay
        self._log = Log(time.monotonic())
        self._tables = Tables(self._log)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection until the client closes it."""
        try:
            while request := await read_message(reader, writer):
                begin = time.monotonic()
                method, path, _ = request.first.split(" ", 2)
                if path.startswith(CONTROL):
                    answer = await self._control(method, path.removeprefix(CONTROL), request.body)
                else:
                    answer = await self._answer(request)
                    rest = begin + self._delay - time.monotonic()
                    if rest > 0:
                        await asyncio.sleep(rest)
                writer.write(answer.encode())
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            return  # the client has gone
        except asyncio.CancelledError:
            return  # the proxy ends
        finally:
            writer.close()

    async def _answer(self, request: Message) -> Message:
        name = request.headers.get("x-amz-target", "").removeprefix(TARGET)
        try:
            if name in OPERATIONS:
                return await self._metered(name, request)
            answer = await self._upstream.send(request)
            return self._with_limits(name, request, answer)
        except (OSError, asyncio.IncompleteReadError) as error:
            return json_answer(502, {"__type": "#BadGateway", "message": str(error)})

    async def _metered(self, name: str, request: Message) -> Message:
        try:
            document = json.loads(request.body)
            tables = {given: await self._table(given) for given in table_names(document)}
            if None in tables.values():
                return await self._upstream.send(request)  # it has no such table and says so
            kind, operation = OPERATIONS[name]
            who = request.headers.get("user-agent", "")
            meter = Meter(self._log, kind, who, time.monotonic())
            admitted = operation(document, tables, meter)  # type: ignore[arg-type]
        except (AttributeError, KeyError, TypeError, ValueError):
            # Not a request that DynamoDB accepts: its refusal is the answer.
            self._log.malformed += 1
            return await self._upstream.send(request)
        if admitted.error:
            return json_answer(400, admitted.error)
        if admitted.forward:
            request = request._replace(body=json.dumps(admitted.forward).encode())
        answer = await self._upstream.send(request)
        if answer.status != OK:
            return answer
        finished = json_answer(OK, admitted.finish(json.loads(answer.body)))
        return finished._replace(headers={**answer.headers, **finished.headers})

    async def _table(self, given: str) -> Table | None:
        """A table by its name or ARN; None if there is none."""
        name = given.rpartition("table/")[2]
        if known := self._tables.find(name):
            return known
        headers = {
            "host": HOST,
            "content-type": "application/x-amz-json-1.0",
            "x-amz-target": f"{TARGET}DescribeTable",
        }
        body = json.dumps({"TableName": name}).encode()
        answer = await self._upstream.send(Message("POST / HTTP/1.1", headers, body))
        if answer.status != OK:
            return None
        return self._tables.add(json.loads(answer.body)["Table"], time.monotonic())

    def _with_limits(self, name: str, request: Message, answer: Message) -> Message:
        """The answer of a table operation, with the limits that the proxy has."""
        if answer.status != OK or name not in ("DescribeTable", "UpdateTable", "DeleteTable"):
            return answer
        document, now = json.loads(answer.body), time.monotonic()
        if name == "DescribeTable":
            document["Table"] = self._tables.shown(document["Table"], now)
        elif name == "DeleteTable":
            self._tables.forget(document["TableDescription"]["TableName"])
        else:
            described = document["TableDescription"]
            self._tables.update(described, json.loads(request.body), now)
            document["TableDescription"] = self._tables.shown(described, now)
        return json_answer(OK, document)

    async def _control(self, method: str, path: str, body: bytes) -> Message:
        actions: dict[tuple[str, str], Callable[[], Any]] = {
            ("GET", "limits"): self._tables.allowed,
            ("GET", "log"): self._log.document,
            ("DELETE", "log"): lambda: self._log.clear(time.monotonic()),
        }
        try:
            if (method, path) == ("PUT", "limits"):
                for name, change in json.loads(body).items():
                    if await self._table(name) is None:
                        raise ValueError(f"the table must exist, got {name!r}")
                    self._tables.change(name, change, time.monotonic())
                return json_answer(OK, self._tables.allowed())
            if (method, path) == ("PUT", "delay"):
                self._delay = json.loads(body)["milliseconds"] / 1_000
                return json_answer(OK, {})
            return json_answer(OK, actions[method, path]())
        except KeyError as error:
            return json_answer(404, {"message": f"cannot find {error}"})
        except (OSError, TypeError, ValueError) as error:
            return json_answer(400, {"message": str(error)})


async def _run(options: argparse.Namespace) -> None:
    upstream = Upstream(options.upstream_port)
    proxy = Proxy(upstream, options.delay_ms / 1_000)
    server = await asyncio.start_server(
        proxy.serve, HOST, options.port, limit=STREAM_BYTES, backlog=1_024
    )
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    if options.until_stdin_ends:
        loop.add_reader(sys.stdin, ended.set)
    print(server.sockets[0].getsockname()[1], flush=True)
    await ended.wait()
    server.close()
    upstream.close()


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m sandbox.capacity.proxy", description=__doc__)
    parser.add_argument("upstream_port", type=int)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--delay-ms", type=float, default=5)
    parser.add_argument("--until-stdin-ends", action="store_true")
    options = parser.parse_args()
    try:
        asyncio.run(_run(options))
    except OSError as error:
        print(f"sandbox: cannot listen on port {options.port}: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
