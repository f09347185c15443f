"""A keep-alive HTTP/1.1 connection that sends a ready request and reads the answer.

`http.client` connects, with timeouts, TLS and the tunnel through a proxy. This module reads the
answer, because `http.client` parses headers like those of an e-mail, which costs as much as the
rest of a request (docs/decisions/0003). It reads each form of an answer that RFC 9112 allows:
https://www.rfc-editor.org/rfc/rfc9112#name-message-body-length
"""

import http.client
import re
import ssl
import time
from urllib.parse import SplitResult

from loader.proxies import Proxy

# Timeout to connect, to receive the next bytes of an answer, and to receive all of them.
SECONDS = 10
CHUNK_BYTES = 65_536
HEAD_END = re.compile(rb"\n\r?\n")
CHUNK_SIZE = re.compile(rb"\s*([0-9A-Fa-f]{1,8})\s*(?:;.*)?")
FIRST_FINAL_STATUS = 200
STATUS_WITHOUT_BODY = (204, 304)


class Connection:
    """One connection to an endpoint, with at most one request in flight."""

    def __init__(
        self, endpoint: SplitResult, tls: ssl.SSLContext | None, proxy: Proxy | None = None
    ) -> None:
        host, port = endpoint.hostname or "", endpoint.port
        if proxy:
            host, port = proxy.host, proxy.port
        self._http = (
            http.client.HTTPSConnection(host, port, timeout=SECONDS, context=tls)
            if tls
            else http.client.HTTPConnection(host, port, timeout=SECONDS)
        )
        if proxy and tls:
            self._http.set_tunnel(
                endpoint.hostname or "", endpoint.port or http.client.HTTPS_PORT, proxy.headers
            )
        self._received = b""  # bytes of the answer that are not read yet
        self._deadline = 0.0

    @property
    def is_open(self) -> bool:
        return self._http.sock is not None

    def fileno(self) -> int:
        """For a selector: readable when an answer begins or the connection ends."""
        return self._http.sock.fileno() if self.is_open else -1

    def open(self) -> None:
        """Connect, with TCP_NODELAY. Raises OSError."""
        try:
            self._http.connect()
        except BaseException:
            self.close()  # a failed handshake leaves a socket behind
            raise

    def send(self, request: bytes) -> None:
        """Send head and body. After an OSError the caller must close the connection."""
        self._http.sock.sendall(request)

    def receive(self) -> tuple[int, dict[str, str], bytes]:
        """The answer: status, headers in lower case, and body; closes if the server does.

        After an OSError or HTTPException the caller must close the connection.
        """
        self._received, self._deadline = b"", time.monotonic() + SECONDS
        version, status, headers = self._head()
        while status < FIRST_FINAL_STATUS:  # an informational answer comes before the answer
            version, status, headers = self._head()
        options = headers.get("connection", "").lower()
        persistent = "close" not in options and (version != "HTTP/1.0" or "keep-alive" in options)
        coding, length = headers.get("transfer-encoding"), headers.get("content-length")
        if coding:
            if coding.lower() != "chunked":
                raise http.client.HTTPException(
                    f"cannot read the answer: its Transfer-Encoding is {coding}"
                )
            body = self._chunks()
        elif status in STATUS_WITHOUT_BODY:
            body = b""
        elif length is None:
            body, persistent = self._rest(), False
        elif length.isdecimal():
            body = self._exactly(int(length))
        else:
            raise http.client.HTTPException(
                f"cannot read the answer: its Content-Length is {length}"
            )
        if self._received:
            raise http.client.HTTPException(
                f"cannot read the answer: {len(self._received)} bytes follow its body"
            )
        if not persistent:
            self.close()
        return status, headers, body

    def close(self) -> None:
        """Close; it can be opened again."""
        self._http.close()

    def _head(self) -> tuple[str, int, dict[str, str]]:
        """HTTP version, status and headers."""
        while not (end := HEAD_END.search(self._received)):
            if len(self._received) > CHUNK_BYTES:
                raise http.client.LineTooLong("head")
            if not self._more():
                place = "in a head" if self._received else "without response"
                raise http.client.RemoteDisconnected(f"Remote end closed connection {place}")
        first, *lines = self._received[: end.start()].decode("latin-1").split("\n")
        self._received = self._received[end.end() :]
        version, _, rest = first.partition(" ")
        if not version.startswith("HTTP/1.") or not rest[:3].isdecimal():
            raise http.client.BadStatusLine(first.strip())
        pairs = [line.partition(":") for line in lines]
        headers = {name.lower(): value.strip() for name, _, value in pairs}
        return version, int(rest[:3]), headers

    def _chunks(self) -> bytes:
        """The body of a chunked answer; its trailers are read and dropped."""
        body = b""
        while True:
            line = self._line()
            if not (size := CHUNK_SIZE.fullmatch(line)):
                raise http.client.HTTPException(
                    f"cannot read the answer: its chunk has the size {line[:20]!r}"
                )
            if not (length := int(size[1], 16)):
                break
            body += self._exactly(length)
            self._line()
        while self._line():
            pass
        return body

    def _line(self) -> bytes:
        while (end := self._received.find(b"\n")) < 0:
            if len(self._received) > CHUNK_BYTES:
                raise http.client.LineTooLong("chunk")
            if not self._more():
                raise http.client.IncompleteRead(self._received)
        line, self._received = self._received[:end], self._received[end + 1 :]
        return line.removesuffix(b"\r")

    def _exactly(self, length: int) -> bytes:
        while (missing := length - len(self._received)) > 0:
            if not self._more():
                raise http.client.IncompleteRead(self._received, missing)
        body, self._received = self._received[:length], self._received[length:]
        return body

    def _rest(self) -> bytes:
        """All bytes until the server closes the connection."""
        while self._more():
            pass
        body, self._received = self._received, b""
        return body

    def _more(self) -> bool:
        """Receive more bytes; False if the server has closed the connection."""
        chunk = self._http.sock.recv(CHUNK_BYTES)
        if time.monotonic() > self._deadline:
            raise TimeoutError("timed out")
        self._received += chunk
        return bool(chunk)
