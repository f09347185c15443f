"""Proxies in front of the sandbox's servers that add TLS and record HTTP requests."""

from __future__ import annotations

import http.client
import re
import select
import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path

from tests.support.http_server import serving

SSL_REQUEST_BYTES = 8
CHUNK_BYTES = 64 * 1024
SIGNATURE = re.compile(r"Credential=([^/]+)/\d+/[\w-]+/(\w+)/")
HOP_BY_HOP = ("connection", "transfer-encoding", "content-length", "date", "server")


@dataclass(frozen=True)
class Certificate:
    """A self-signed certificate and its private key."""

    file: Path
    key: Path

    def context(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.file, self.key)
        return context


def make_certificate(folder: Path, name: str, *extensions: str) -> Certificate:
    """Create a certificate for one name, such as `IP:127.0.0.1` or `DNS:localhost`."""
    certificate = Certificate(folder / "server.crt", folder / "server.key")
    folder.mkdir()
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    command += ["-subj", "/CN=sandbox"]
    for extension in (f"subjectAltName={name}", *extensions):
        command += ["-addext", extension]
    command += ["-keyout", str(certificate.key), "-out", str(certificate.file)]
    subprocess.run(command, check=True, capture_output=True)
    return certificate


@dataclass(frozen=True)
class Request:
    """A request: method, path with query, DynamoDB's operation; the signature's key and service."""

    method: str
    path: str
    target: str
    key_id: str = ""
    service: str = ""


# A status and a body instead of the answer; a body of None ends the connection in its middle.
Fault = Callable[[Request], tuple[int, bytes | None] | None]
LOST_REQUEST = (0, b"")  # the connection ends before the request reaches the server
LOST_ANSWER = (0, None)  # the connection ends after the server has done what was asked


@dataclass
class HttpProxy:
    """The port that a proxy listens on, and the requests it forwarded."""

    port: int = 0
    requests: list[Request] = field(default_factory=list)


@contextmanager
def http_proxy(
    upstream_port: int,
    certificate: Certificate | None = None,
    fault: Fault = lambda _: None,
    dropped: Collection[str] = (),
) -> Iterator[HttpProxy]:
    """Forward HTTP requests to a port of this machine; with a certificate, accept only TLS.

    Headers whose lower-case name is in `dropped` do not reach the server.
    """
    proxy = HttpProxy()
    omitted = {"expect", *dropped}

    class Forward(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def forward(self) -> None:
            target = self.headers.get("X-Amz-Target", "").rpartition(".")[2]
            scope = SIGNATURE.search(self.headers.get("Authorization", ""))
            request = Request(self.command, self.path, target, *(scope.groups() if scope else ()))
            proxy.requests.append(request)
            instead = fault(request)
            chunked = self.headers.get("Transfer-Encoding", "").lower() == "chunked"
            length = int(self.headers.get("Content-Length", 0))
            body = b"".join(self.chunks()) if chunked else self.rfile.read(length)
            if instead == LOST_REQUEST:
                self.close_connection = True
                return
            if instead and instead[1] is not None:
                self.send_response(instead[0])
                self.send_header("Content-Length", str(len(instead[1])))
                self.end_headers()
                self.wfile.write(instead[1])
                return
            connection = http.client.HTTPConnection("127.0.0.1", upstream_port, timeout=60)
            headers = {k: v for k, v in self.headers.items() if k.lower() not in omitted}
            connection.request(self.command, self.path, body, headers, encode_chunked=chunked)
            response = connection.getresponse()
            content = response.read()
            if instead == LOST_ANSWER:
                self.close_connection = True
                return
            self.send_response(response.status)
            for name, value in response.getheaders():
                if name.lower() not in HOP_BY_HOP:
                    self.send_header(name, value)
            declared = response.getheader("Content-Length") if self.command == "HEAD" else None
            self.send_header("Content-Length", declared or str(len(content)))
            self.end_headers()
            self.wfile.write(content[: len(content) // 2] if instead else content)
            self.close_connection = bool(instead)
            connection.close()

        def chunks(self) -> Iterator[bytes]:
            while size := int(self.rfile.readline(), 16):
                yield self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()

        do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = forward  # noqa: N815

    with serving(Forward, certificate.context() if certificate else None) as proxy.port:
        yield proxy


@contextmanager
def postgres_proxy(upstream_port: int, certificate: Certificate) -> Iterator[int]:
    """Accept PostgreSQL connections over TLS and forward them without; yields the port."""
    listener = socket.create_server(("127.0.0.1", 0))
    context = certificate.context()

    def serve() -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return  # closed
            arguments = (client, context, upstream_port)
            threading.Thread(target=_serve_tls, args=arguments, daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()


def _serve_tls(client: socket.socket, context: ssl.SSLContext, upstream_port: int) -> None:
    try:
        client.recv(SSL_REQUEST_BYTES, socket.MSG_WAITALL)
        client.sendall(b"S")
        secure = context.wrap_socket(client, server_side=True)
    except OSError:
        client.close()  # the client did not accept the certificate
        return
    try:
        with secure, socket.create_connection(("127.0.0.1", upstream_port)) as server:
            _relay(secure, server)
    except OSError:
        return  # one of the two disconnected


def _relay(secure: ssl.SSLSocket, server: socket.socket) -> None:
    """Relay both directions in one thread: two threads may not use one TLS connection."""
    while True:
        ready = [secure] if secure.pending() else select.select([secure, server], [], [])[0]
        for source in ready:
            if not (chunk := source.recv(CHUNK_BYTES)):
                return
            (server if source is secure else secure).sendall(chunk)
