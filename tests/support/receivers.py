"""An HTTP server that keeps each request, and answers as the test says."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler

from tests.support.http_server import serving
from tests.support.tls_proxies import Certificate


@dataclass(frozen=True)
class Received:
    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Receiver:
    """`answers` are the status codes of the first requests; the last one is that of all others.

    A code of 0 closes the connection without an answer; None does not answer until the end.
    """

    answers: Sequence[int | None] = (200,)
    requests: list[Received] = field(default_factory=list)
    ended: threading.Event = field(default_factory=threading.Event)
    url: str = ""

    def bodies(self, path: str) -> list[bytes]:
        return [request.body for request in self.requests if request.path == path]


@contextmanager
def receiver(*answers: int | None, certificate: Certificate | None = None) -> Iterator[Receiver]:
    """A receiver on a free port of this machine, with TLS if it has a certificate."""
    state = Receiver(answers or (200,))

    class Receive(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            headers = {name.lower(): value for name, value in self.headers.items()}
            state.requests.append(Received(self.command, self.path, headers, body))
            answer = state.answers[min(len(state.requests), len(state.answers)) - 1]
            if answer is None:
                state.ended.wait()
            if not answer:
                self.close_connection = True
                return
            self.send_response(answer)
            if 300 <= answer < 400:
                self.send_header("Location", f"{state.url}/moved")
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_GET = do_POST  # noqa: N815

    with serving(Receive, certificate.context() if certificate else None) as port:
        state.url = f"{'https' if certificate else 'http'}://127.0.0.1:{port}"
        try:
            yield state
        finally:
            state.ended.set()
