"""The wire shim: a proxy that makes PostgreSQL look like Redshift, and logs all statements.

    redshift_connector, Redshift JDBC  →  shim  →  PostgreSQL

It declines SSLRequest, forwards the startup parameters that PostgreSQL supports, reports Redshift's
version, forwards cancel requests and rewrites SQL. PostgreSQL checks the password. Two threads
serve a connection, one per direction; when one side disconnects, the other is closed at once.
"""

from __future__ import annotations

import argparse
import signal
import socket
import struct
import sys
import threading
from io import BufferedReader
from pathlib import Path
from typing import BinaryIO

from sandbox.redshift.protocol import (
    CANCEL_REQUEST,
    GSSENC_REQUEST,
    PROTOCOL_3_0,
    SSL_REQUEST,
    ProtocolError,
    error_text,
    forwarded_parameters,
    message,
    parse_parameters,
    read_message,
    read_startup,
    startup,
)
from sandbox.redshift.requests import RequestReader
from sandbox.redshift.responses import ResponseReader
from sandbox.redshift.statement_log import SessionLog, StatementLog

CHUNK_BYTES = 256 * 1024
# Redshift's version. redshift_connector cannot parse Debian's "15.18 (Debian …)", and the JDBC
# driver treats 9.0 and later as plain PostgreSQL.
SERVER_VERSION = b"server_version\x008.0.2\0"
# 0 is the text protocol; from 1 on both drivers expect another RowDescription.
REDSHIFT_STATUS = message(b"S", b"server_protocol_version\x000\0")


def serve(listener: socket.socket, postgres_port: int, log: StatementLog) -> None:
    while True:
        client, _ = listener.accept()
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        thread = threading.Thread(target=_serve_client, args=(client, postgres_port, log))
        thread.daemon = True
        thread.start()


def _serve_client(client: socket.socket, postgres_port: int, log: StatementLog) -> None:
    with client, client.makefile("rb") as from_client:
        try:
            first = _first_request(client, from_client)
            if first is None:
                return
            with socket.create_connection(("127.0.0.1", postgres_port)) as server:
                server.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                code, rest = first
                if code == CANCEL_REQUEST:
                    server.sendall(startup(code, rest))
                    server.recv(1)  # PostgreSQL closes the connection after it has read the request
                else:
                    Session(client, from_client, server, parse_parameters(rest), log).run()
        except (ProtocolError, OSError) as error:
            print(f"connection closed: {error}", file=sys.stderr, flush=True)


def _first_request(client: socket.socket, stream: BinaryIO) -> tuple[int, bytes] | None:
    while request := read_startup(stream):
        if request[0] in (SSL_REQUEST, GSSENC_REQUEST):
            client.sendall(b"N")
        elif request[0] in (CANCEL_REQUEST, PROTOCOL_3_0):
            return request
        else:
            raise ProtocolError(f"the protocol must be 3.0, got code {request[0]}")
    return None


class Session:
    """One client's connection to one PostgreSQL backend."""

    def __init__(
        self,
        client: socket.socket,
        from_client: BinaryIO,
        server: socket.socket,
        parameters: dict[str, str],
        log: StatementLog,
    ) -> None:
        self._client, self._from_client, self._server = client, from_client, server
        self._parameters = parameters
        self._log = SessionLog(log, parameters)

    def run(self) -> None:
        self._server.sendall(startup(PROTOCOL_3_0, forwarded_parameters(self._parameters)))
        responses = threading.Thread(target=self._relay_responses, daemon=True)
        responses.start()
        self._relay_requests()
        responses.join()

    def _relay_requests(self) -> None:
        reason = "the client disconnected"
        requests = RequestReader(self._log)
        try:
            while request := read_message(self._from_client):
                if out := requests.feed(*request):
                    self._server.sendall(out)
        except OSError as error:
            reason = f"the connection broke: {error}"
        finally:
            self._close(reason)

    def _relay_responses(self) -> None:
        reason = "the server disconnected"
        try:
            with self._server.makefile("rb") as from_server:
                if self._relay_startup(from_server):
                    self._relay_results(from_server)
        except OSError as error:
            reason = f"the connection broke: {error}"
        finally:
            self._close(reason)

    def _relay_startup(self, from_server: BufferedReader) -> bool:
        """Relay authentication and server settings; False if PostgreSQL rejected the client."""
        while response := read_message(from_server):
            kind, body = response
            if kind == b"S" and body.startswith(b"server_version\0"):
                body = SERVER_VERSION
            elif kind == b"K":
                self._log.set_session_id(struct.unpack("!i", body[:4])[0])
            elif kind == b"Z":
                self._client.sendall(REDSHIFT_STATUS + message(kind, body))
                return True
            elif kind == b"E":
                print(f"login failed: {error_text(body)}", file=sys.stderr, flush=True)
            self._client.sendall(message(kind, body))
        return False

    def _relay_results(self, from_server: BufferedReader) -> None:
        responses = ResponseReader()
        buffer = memoryview(bytearray(CHUNK_BYTES))
        while count := from_server.readinto1(buffer):
            chunk = buffer[:count]
            # Logged first, so that a client that has the response finds it in the log.
            self._log.on_events(responses.feed(chunk))
            self._client.sendall(chunk)

    def _close(self, reason: str) -> None:
        """Close both connections; both threads call this, and the first reason is logged."""
        self._log.on_disconnect(reason)
        for peer in (self._client, self._server):
            try:
                peer.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue  # already closed


def main() -> None:
    parser = argparse.ArgumentParser(prog="sandbox.redshift.shim")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--postgres-port", type=int, required=True)
    parser.add_argument("--log", type=Path, required=True)
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with socket.create_server(("127.0.0.1", options.port), backlog=128) as listener:
        serve(listener, options.postgres_port, StatementLog(options.log))


if __name__ == "__main__":
    main()
