"""Run the proxy in a process of its own, change its limits and read its log."""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any

from sandbox.capacity.log import Record, read_record
from sandbox.errors import SandboxError
from sandbox.settings import REPOSITORY

DELAY_MS = 5.0


@dataclass(frozen=True)
class CapacityProxy:
    """A running proxy."""

    port: int
    pid: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def set_limits(self, table: str, **limits: Any) -> None:
        """Change limits of a table that exists: fields of `Limits`, and these.

        `mode`: "provisioned" or "on_demand"; `burst`; `growth_seconds`; `indexes`: fields of
        `Limits` by the name of a global index. What is not given stays.
        """
        self._request("PUT", "limits", {table: limits})

    def allowed(self) -> dict[str, dict[str, float | None]]:
        """The units per second that can be sustained: {"users": {"Write": 2000.0, "Read": 100.0}}.

        An index is "users/index/by_mail".
        """
        answer: dict[str, dict[str, float | None]] = self._request("GET", "limits")
        return answer

    def set_delay(self, milliseconds: float) -> None:
        """The least time in which a request is answered."""
        self._request("PUT", "delay", {"milliseconds": milliseconds})

    def record(self) -> Record:
        """The log since the start or the last `clear`."""
        return read_record(self._request("GET", "log"))

    def clear(self) -> None:
        self._request("DELETE", "log")

    def _request(self, method: str, path: str, document: Any = None) -> Any:
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)) as connection:
            body = None if document is None else json.dumps(document)
            connection.request(method, f"/_capacity/{path}", body)
            response = connection.getresponse()
            answer = json.loads(response.read())
            if response.status != http.client.OK:
                raise SandboxError(f"cannot control the capacity proxy: {answer['message']}")
            return answer


@contextmanager
def running(
    upstream_port: int, *, port: int = 0, delay_ms: float = DELAY_MS
) -> Iterator[CapacityProxy]:
    """Run a proxy in front of a server on this machine for a block."""
    command = [sys.executable, "-m", "sandbox.capacity.proxy", str(upstream_port)]
    options = ["--port", str(port), "--delay-ms", str(delay_ms), "--until-stdin-ends"]
    process = subprocess.Popen(
        [*command, *options],
        cwd=REPOSITORY,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        line = process.stdout.readline()  # type: ignore[union-attr]
        if not line.strip():
            raise SandboxError(
                f"cannot start the capacity proxy on port {port}: it ended with exit code "
                f"{process.wait()}. Its message is above"
            )
        yield CapacityProxy(int(line), process.pid)
    finally:
        process.terminate()
        process.communicate()
