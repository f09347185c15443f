"""Compile, start, query and stop the sink (sink.c), a DynamoDB that keeps digests only."""

import http.client
import json
import subprocess
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from itertools import islice
from pathlib import Path
from typing import Any

from benchmarks.errors import BenchmarkError

SOURCE = Path(__file__).with_name("sink.c")
DELAY_MS = 5
TARGET = "DynamoDB_20120810.BatchWriteItem"
BATCH_CHANGES = 25


@dataclass(frozen=True)
class Counts:
    """The sink's counts since its last reset, and the contents of its table now.

    `units` are write units by DynamoDB's rules: those of the larger of the old and the new item.
    `other` are requests that write nothing.
    """

    requests: int
    puts: int
    deletes: int
    units: int
    bytes: int
    malformed: int
    other: int
    items: int
    digest: str

    @property
    def contents(self) -> "Contents":
        return Contents(self.items, self.digest)


@dataclass(frozen=True)
class Contents:
    """The number of items of a table, and the sum of their digests as 16 hexadecimal digits."""

    items: int
    digest: str

    def __str__(self) -> str:
        return f"{self.items:,} items with digest {self.digest}"

    def __add__(self, other: "Contents") -> "Contents":
        """The contents of two tables that have no key in common."""
        total = (int(self.digest, 16) + int(other.digest, 16)) % 2**64
        return Contents(self.items + other.items, f"{total:016x}")


@dataclass(frozen=True)
class Sink:
    """A running sink."""

    port: int
    pid: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def counts(self) -> Counts:
        return Counts(**self._request("GET", "/stats"))

    def reset(self, delay_ms: float = DELAY_MS) -> None:
        """Reset the counts; every later request is answered after the delay."""
        self._request("POST", f"/reset?delay={delay_ms * 1000:.0f}")

    def clear(self) -> None:
        """Delete all items."""
        self._request("POST", "/clear")

    def save(self) -> None:
        """Keep a copy of the table for `restore`."""
        self._request("POST", "/save")

    def restore(self) -> None:
        self._request("POST", "/restore")

    def write(self, changes: Iterable[dict[str, Any]]) -> None:
        """Write puts and deletes on one connection, and wait for each answer."""
        headers = {"X-Amz-Target": TARGET}
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)) as connection:
            pending = iter(changes)
            while batch := list(islice(pending, BATCH_CHANGES)):
                body = json.dumps({"RequestItems": {"bench": batch}})
                connection.request("POST", "/", body, headers)
                response = connection.getresponse()
                answer = response.read()
                if response.status != HTTPStatus.OK:
                    raise BenchmarkError(f"cannot write to the sink: {answer.decode()}")

    def _request(self, method: str, path: str) -> Any:
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)) as connection:
            connection.request(method, path)
            return json.loads(connection.getresponse().read())


@contextmanager
def running(folder: Path) -> Iterator[Sink]:
    """Run a sink for a block; its program is built in the folder."""
    program = folder / "sink"
    program.unlink(missing_ok=True)  # a running program cannot be overwritten
    try:
        subprocess.run(["cc", "-O2", "-o", program, SOURCE], check=True, capture_output=True)
    except FileNotFoundError:
        raise BenchmarkError("a C compiler must be installed, got no `cc`: install gcc") from None
    except subprocess.CalledProcessError as error:
        raise BenchmarkError(f"cannot compile {SOURCE}: {error.stderr.decode()}") from None
    process = subprocess.Popen([program], stdout=subprocess.PIPE, text=True)
    try:
        yield Sink(int(process.stdout.readline()), process.pid)  # type: ignore[union-attr]
    finally:
        process.kill()
        process.wait()
