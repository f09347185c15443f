"""The null DynamoDB (sink.c): compiled with the system's compiler, started, asked, stopped."""

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
# Checking every body would be the work of another parser in the measured time.
CHECK_EVERY = 100


@dataclass(frozen=True)
class Counts:
    """What the sink got since its last reset; `other` are requests that write nothing."""

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
        return Counts(**self._ask("GET", "/stats"))

    def reset(self, delay_ms: float = DELAY_MS, check_every: int = CHECK_EVERY) -> None:
        """Zero the counts; every later request is answered after the delay."""
        self._ask("POST", f"/reset?delay={delay_ms * 1000:.0f}&every={check_every}")

    def _ask(self, method: str, path: str) -> Any:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request(method, path)
            return json.loads(connection.getresponse().read())
        finally:
            connection.close()


@contextmanager
def running(folder: Path) -> Iterator[Sink]:
    """A sink for as long as the block lasts; its program is built into the folder."""
    program = folder / "sink"
    try:
        subprocess.run(["cc", "-O2", "-o", program, SOURCE], check=True, capture_output=True)
    except FileNotFoundError:
        raise BenchmarkError("a C compiler must be installed, got no `cc`: install gcc") from None
    except subprocess.CalledProcessError as error:
        raise BenchmarkError(f"{SOURCE} must compile, got {error.stderr.decode()}") from None
    process = subprocess.Popen([program], stdout=subprocess.PIPE, text=True)
    try:
        yield Sink(int(process.stdout.readline()), process.pid)  # type: ignore[union-attr]
    finally:
        process.kill()
        process.wait()
