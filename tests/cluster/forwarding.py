"""Servers of this machine's loopback interface, reachable at the address of a bridge."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

CHUNK_BYTES = 256 * 1024


@dataclass
class Forward:
    """An address, and the port of 127.0.0.1 that new connections to it go to now."""

    address: str
    port: int
    target: int

    @property
    def url(self) -> str:
        return f"http://{self.address}:{self.port}"


@contextmanager
def forwarded(address: str, target: int) -> Iterator[Forward]:
    """Forward connections to a free port of the address to a port of 127.0.0.1."""
    listener = socket.create_server((address, 0), backlog=256)
    forward = Forward(address, listener.getsockname()[1], target)
    thread = threading.Thread(target=_accept, args=(listener, forward), daemon=True)
    thread.start()
    try:
        yield forward
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()


def _accept(listener: socket.socket, forward: Forward) -> None:
    while True:
        try:
            client, _ = listener.accept()
        except OSError:
            return  # closed
        threading.Thread(target=_serve, args=(client, forward.target), daemon=True).start()


def _serve(client: socket.socket, port: int) -> None:
    try:
        server = socket.create_connection(("127.0.0.1", port))
    except OSError:
        client.close()  # the server is down, which the client sees
        return
    for peer in (client, server):
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    answers = threading.Thread(target=_relay, args=(server, client), daemon=True)
    answers.start()
    _relay(client, server)
    answers.join()
    client.close()
    server.close()


def _relay(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):  # one of the two disconnected
        while chunk := source.recv(CHUNK_BYTES):
            sink.sendall(chunk)
    for peer, how in ((source, socket.SHUT_RD), (sink, socket.SHUT_WR)):
        with suppress(OSError):
            peer.shutdown(how)
