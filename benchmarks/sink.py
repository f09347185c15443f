"""Compile, start, query and stop the sink (sink.c), a DynamoDB that stores nothing."""

import http.client
import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.errors import BenchmarkError

SOURCE = Path(__file__).with_name("sink.c")
DELAY_MS = 5
# Parsing every body would take CPU time from the measured command.
CHECK_EVERY = 100


@dataclass(frozen=True)
class Counts:
    """The sink's counts since its last reset; `other` are requests that write nothing."""

    requests: int
    items: int
    bytes: int
    checked: int
    malformed: int
    other: int


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

    def reset(self, delay_ms: float = DELAY_MS, check_every: int = CHECK_EVERY) -> None:
        """Reset the counts; every later request is answered after the delay."""
        self._request("POST", f"/reset?delay={delay_ms * 1000:.0f}&every={check_every}")

    def _request(self, method: str, path: str) -> Any:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request(method, path)
            return json.loads(connection.getresponse().read())
        finally:
            connection.close()


@contextmanager
def running(folder: Path) -> Iterator[Sink]:
    """Run a sink for a block; its program is built in the folder."""
    program = folder / "sink"
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
