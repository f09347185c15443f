"""A keep-alive HTTP/1.1 connection that sends a ready request and reads the answer, no more.

`http.client` connects, with its time limits and TLS. It does not read the answer: it parses the
headers as those of a mail, which costs as much as all the rest of a request.
"""

import http.client
import ssl
from typing import BinaryIO
from urllib.parse import SplitResult

CONNECT_SECONDS = 10
# What http.client allows a line of a head.
LINE_BYTES = 65_536


class Connection:
    """One connection to an endpoint, opened by the first request; for one thread at a time."""

    def __init__(self, endpoint: SplitResult, tls: ssl.SSLContext | None) -> None:
        host = endpoint.hostname or ""
        self._http = (
            http.client.HTTPSConnection(host, endpoint.port, timeout=CONNECT_SECONDS, context=tls)
            if tls
            else http.client.HTTPConnection(host, endpoint.port, timeout=CONNECT_SECONDS)
        )
        self._answers: BinaryIO | None = None

    def exchange(self, request: bytes) -> tuple[int, dict[str, str], bytes]:
        """Send a request, head and body at once: status, headers in lower case, and body.

        Raises OSError or HTTPException; the connection is of no use then.
        """
        if self._answers is None:
            self._http.connect()  # with TCP_NODELAY
            self._answers = self._http.sock.makefile("rb")
        self._http.sock.sendall(request)
        status, headers = _head(self._answers)
        length = headers.get("content-length", "")
        if not length.isdecimal():
            raise http.client.HTTPException("answer must have a Content-Length, got none")
        body = self._answers.read(int(length))
        if len(body) < int(length):
            raise http.client.IncompleteRead(body, int(length) - len(body))
        if headers.get("connection", "").lower() == "close":
            self.close()
        return status, headers, body

    def close(self) -> None:
        """Close; the next request connects again."""
        if self._answers is not None:
            self._answers.close()
            self._answers = None
        self._http.close()


def _head(answers: BinaryIO) -> tuple[int, dict[str, str]]:
    line = answers.readline(LINE_BYTES)
    if not line:
        raise http.client.RemoteDisconnected("Remote end closed connection without response")
    version, _, rest = line.decode("latin-1").partition(" ")
    if not version.startswith("HTTP/1.") or not rest[:3].isdecimal():
        raise http.client.BadStatusLine(line.decode("latin-1").strip())
    headers = {}
    while (line := answers.readline(LINE_BYTES)) not in (b"\r\n", b"\n"):
        if not line:
            raise http.client.RemoteDisconnected("Remote end closed connection in a head")
        name, _, value = line.decode("latin-1").partition(":")
        headers[name.lower()] = value.strip()
    return int(rest[:3]), headers
