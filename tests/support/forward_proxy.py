"""A forward proxy that alone resolves some names, to servers on this machine."""

from __future__ import annotations

import base64
import http.client
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from urllib.parse import urlsplit

from tests.support.http_server import serving

CHUNK_BYTES = 64 * 1024


@dataclass
class ForwardProxy:
    """The port that a proxy listens on, and the requests to the proxy that it served."""

    port: int = 0
    served: list[str] = field(default_factory=list)


@contextmanager
def forward_proxy(names: Mapping[str, int], login: str = "") -> Iterator[ForwardProxy]:
    """Serve CONNECT and `POST http://…` for the names and their subdomains, on these ports.

    `login` is the `user:password` to ask for. Other names are answered with 403.
    """
    proxy = ForwardProxy()
    expected = f"Basic {base64.b64encode(login.encode()).decode()}"

    class Forward(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def port_of(self, host: str) -> int | None:
            """The port of the name; None after the request was refused."""
            if login and self.headers.get("Proxy-Authorization") != expected:
                self.send_error(407)
                return None
            for name, port in names.items():
                if host == name or host.endswith(f".{name}"):
                    proxy.served.append(f"{self.command} {host}")
                    return port
            self.send_error(403)
            return None

        def do_CONNECT(self) -> None:
            self.close_connection = True
            port = self.port_of(self.path.rpartition(":")[0])
            if port is None:
                return
            with socket.create_connection(("127.0.0.1", port)) as server:
                self.send_response(200)
                self.end_headers()
                arguments = (server, self.connection)
                answers = threading.Thread(target=_relay, args=arguments, daemon=True)
                answers.start()
                _relay(self.connection, server)
                answers.join()

        def do_POST(self) -> None:
            url = urlsplit(self.path)
            body = self.rfile.read(int(self.headers["Content-Length"]))
            port = self.port_of(url.hostname or "")
            if port is None:
                return
            connection = http.client.HTTPConnection("127.0.0.1", port)
            headers = {n: v for n, v in self.headers.items() if not n.lower().startswith("proxy-")}
            connection.request("POST", url.path, body, headers)
            response = connection.getresponse()
            content = response.read()
            connection.close()
            self.send_response(response.status)
            for name in ("x-amz-crc32", "content-type"):
                if value := response.getheader(name):
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

    with serving(Forward) as proxy.port:
        yield proxy


def _relay(source: socket.socket, sink: socket.socket) -> None:
    try:
        while chunk := source.recv(CHUNK_BYTES):
            sink.sendall(chunk)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        return  # one of the two disconnected
