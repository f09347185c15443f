"""Live traffic on a table: single items, at a constant rate, without retries.

    with traffic.running(proxy, "users", units_per_second=900) as live:
        ...
    live.counts

It runs in a process of its own. Each item is a BatchWriteItem of one, which the sink knows too.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import json
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sandbox.capacity.admission import WRITE
from sandbox.capacity.messages import Message
from sandbox.capacity.process import CapacityProxy
from sandbox.capacity.sizes import WRITE_UNIT_BYTES
from sandbox.capacity.upstream import HOST, Upstream
from sandbox.errors import SandboxError
from sandbox.settings import REPOSITORY

USER_AGENT = "live-traffic"
KEYS = 10_000
IN_FLIGHT = 256
KEY_ROOM_BYTES = 300
OK = 200


@dataclass(frozen=True)
class Counts:
    """Requests, those that were throttled, and those that failed for another reason."""

    requests: int = 0
    throttled: int = 0
    failed: int = 0

    @property
    def throttled_share(self) -> float:
        return self.throttled / self.requests if self.requests else 0.0


@dataclass
class Traffic:
    """Traffic of a block; its counts are there after the block."""

    units_per_second: float
    counts: Counts = Counts()


@contextmanager
def running(
    proxy: CapacityProxy,
    table: str,
    *,
    share: float | None = None,
    units_per_second: float = 0.0,
    item_units: int = 1,
) -> Iterator[Traffic]:
    """Write until the block ends, at a share of the table's capacity or at a given rate.

    `item_units`: the size of each item; larger ones need less CPU for the same rate.
    """
    if share is not None:
        units_per_second = share * (proxy.allowed()[table][WRITE] or 0.0)
    command = [sys.executable, "-m", "sandbox.capacity.traffic", str(proxy.port), table]
    process = subprocess.Popen(
        [*command, str(units_per_second), "--item-units", str(item_units)],
        cwd=REPOSITORY,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    traffic = Traffic(units_per_second)
    try:
        yield traffic
    finally:
        # It prints its counts when its standard input ends.
        out, _ = process.communicate()
        if process.returncode:
            raise SandboxError(f"cannot write live traffic: it ended with {process.returncode}")
        traffic.counts = Counts(**json.loads(out))


class _Writer:
    def __init__(self, port: int, table: str, item_units: int) -> None:
        self._server, self._table = Upstream(port), table
        self._filler = "x" * max(0, item_units * WRITE_UNIT_BYTES - KEY_ROOM_BYTES)
        self.results: Counter[str] = Counter()
        self._free = asyncio.Semaphore(IN_FLIGHT)
        self._keys: list[tuple[str, str]] = []

    async def describe(self) -> None:
        """Learn the names and the types of the table's keys."""
        answer = await self._send("DescribeTable", {"TableName": self._table})
        if answer.status != OK:
            raise SandboxError(f"cannot describe {self._table}: {answer.body.decode()}")
        table = json.loads(answer.body)["Table"]
        types = {d["AttributeName"]: d["AttributeType"] for d in table["AttributeDefinitions"]}
        names = [key["AttributeName"] for key in table["KeySchema"]]
        self._keys = [(name, types[name]) for name in names]

    async def write(self, number: int) -> None:
        async with self._free:
            item = {name: _key(kind, number % KEYS) for name, kind in self._keys}
            item["filler"] = {"S": self._filler}
            requests = {self._table: [{"PutRequest": {"Item": item}}]}
            try:
                answer = await self._send("BatchWriteItem", {"RequestItems": requests})
            except (OSError, asyncio.IncompleteReadError):
                self.results["failed"] += 1
                return
        error = "" if answer.status == OK else json.loads(answer.body).get("__type", "")
        if answer.status == OK:
            self.results["written"] += 1
        elif "Throughput" in error or "Throttling" in error:
            self.results["throttled"] += 1
        else:
            self.results["failed"] += 1

    def counts(self) -> dict[str, int]:
        results = self.results
        return {
            "requests": sum(results.values()),
            "throttled": results["throttled"],
            "failed": results["failed"],
        }

    async def _send(self, operation: str, document: dict[str, Any]) -> Message:
        headers = {
            "host": HOST,
            "user-agent": USER_AGENT,
            "content-type": "application/x-amz-json-1.0",
            "x-amz-target": f"DynamoDB_20120810.{operation}",
        }
        body = json.dumps(document).encode()
        return await self._server.send(Message("POST / HTTP/1.1", headers, body))


def _key(kind: str, number: int) -> dict[str, str]:
    text = str(number) if kind == "N" else f"live-{number}"
    return {kind: base64.b64encode(text.encode()).decode() if kind == "B" else text}


async def _run(options: argparse.Namespace) -> None:
    writer = _Writer(options.port, options.table, options.item_units)
    await writer.describe()
    ended = asyncio.Event()
    asyncio.get_running_loop().add_reader(sys.stdin, ended.set)
    begin, number = time.monotonic(), 0
    async with asyncio.TaskGroup() as tasks:
        while not ended.is_set():
            number += 1
            tasks.create_task(writer.write(number))
            due = begin + number * options.item_units / options.units_per_second
            await asyncio.sleep(max(0.0, due - time.monotonic()))
    print(json.dumps(writer.counts()))


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m sandbox.capacity.traffic")
    parser.add_argument("port", type=int)
    parser.add_argument("table")
    parser.add_argument("units_per_second", type=float)
    parser.add_argument("--item-units", type=int, default=1)
    asyncio.run(_run(parser.parse_args()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
