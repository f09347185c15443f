"""A keep-alive HTTP/1.1 connection that sends a ready request and reads the answer.

`http.client` connects, with timeouts and TLS. This module reads the answer, because `http.client`
parses headers like those of an e-mail, which costs as much as the rest of a request.
"""

import http.client
import ssl
from urllib.parse import SplitResult

# Timeout to connect, and to receive the next bytes of an answer.
SECONDS = 10
CHUNK_BYTES = 65_536
HEAD_END = b"\r\n\r\n"


class Connection:
    """One connection to an endpoint, with at most one request in flight."""

    def __init__(self, endpoint: SplitResult, tls: ssl.SSLContext | None) -> None:
        host = endpoint.hostname or ""
        self._http = (
            http.client.HTTPSConnection(host, endpoint.port, timeout=SECONDS, context=tls)
            if tls
            else http.client.HTTPConnection(host, endpoint.port, timeout=SECONDS)
        )

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
        """The answer: status, headers in lower case, and body.

        After an OSError or HTTPException the caller must close the connection.
        """
        status, headers, body = self._head()
        length = headers.get("content-length", "")
        if not length.isdecimal():
            raise http.client.HTTPException("cannot read the answer: no Content-Length")
        while (missing := int(length) - len(body)) > 0:
            if not (chunk := self._http.sock.recv(CHUNK_BYTES)):
                raise http.client.IncompleteRead(body, missing)
            body += chunk
        if missing < 0:
            raise http.client.HTTPException(
                f"cannot read the answer: {-missing} bytes follow its body"
            )
        if headers.get("connection", "").lower() == "close":
            self.close()
        return status, headers, body

    def close(self) -> None:
        """Close; it can be opened again."""
        self._http.close()

    def _head(self) -> tuple[int, dict[str, str], bytes]:
        """Status, headers, and the first bytes of the body."""
        received = b""
        while (end := received.find(HEAD_END)) < 0:
            if len(received) > CHUNK_BYTES:
                raise http.client.LineTooLong("head")
            if not (chunk := self._http.sock.recv(CHUNK_BYTES)):
                place = "in a head" if received else "without response"
                raise http.client.RemoteDisconnected(f"Remote end closed connection {place}")
            received += chunk
        first, *lines = received[:end].decode("latin-1").split("\r\n")
        version, _, rest = first.partition(" ")
        if not version.startswith("HTTP/1.") or not rest[:3].isdecimal():
            raise http.client.BadStatusLine(first.strip())
        headers = {}
        for line in lines:
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        return int(rest[:3]), headers, received[end + len(HEAD_END) :]
