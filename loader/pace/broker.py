"""Answers the asks of tasks from an allowance: a TCP server in a thread of the driver.

A task that proves to know the key of the run may connect from any executor. The allowance outlives
the server: a restarted one goes on where the first one stopped.
"""

import selectors
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from loader.pace import messages
from loader.pace.allowance import Allowance, Totals
from loader.pace.ceiling import LOOK_SECONDS, Ceiling
from loader.pace.report import ALIVE_SECONDS, Grant

# For a connection that has not proved that it is a task.
PROOF_SECONDS = 5.0
MOST_CONNECTIONS = 8_192
# A task reads its answers, which are short.
MOST_UNREAD_BYTES = 1 << 16
READ_BYTES = 1 << 16


@dataclass
class _Connection:
    """One task, or something that has not proved to be one (`task` is empty)."""

    socket: socket.socket
    since: float
    nonce: str = field(default_factory=messages.nonce)
    task: str = ""
    received: bytes = b""
    unsent: bytes = b""


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; raises `OSError` if the address is not of this machine or is taken."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, backlog=1_024)


class Broker:
    """Serves `allowance` at `host` and `port` (0: a free one) until it is closed.

    Raises OSError if it cannot listen there.
    """

    def __init__(
        self,
        allowance: Allowance,
        key: messages.Key,
        host: str,
        port: int = 0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._allowance, self._key, self._host, self._clock = allowance, key, host, clock
        self._lock = threading.Lock()  # for the allowance
        self._connections: dict[int, _Connection] = {}
        self._tasks: dict[str, _Connection] = {}
        self._alive = clock()
        self._selector = selectors.DefaultSelector()
        self._listener = listen(host, port)
        self._listener.setblocking(False)
        self.port: int = self._listener.getsockname()[1]
        self._wake, self._woken = socket.socketpair()
        self._closing = False
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._selector.register(self._woken, selectors.EVENT_READ)
        self._thread = threading.Thread(target=self._serve, name="capacity broker", daemon=True)
        self._thread.start()

    @property
    def is_serving(self) -> bool:
        return self._thread.is_alive()

    def close(self) -> None:
        """Stop: slices that are being written end within 10 seconds."""
        self._closing = True
        with suppress(OSError):
            self._wake.send(b"\0")
        self._thread.join()

    def restarted(self) -> "Broker":
        """Another server of the same allowance at the same port, after this one has ended."""
        self.close()
        return Broker(self._allowance, self._key, self._host, self.port, self._clock)

    def set_limits(self, ceilings: Mapping[str, Ceiling]) -> None:
        """Change the limits, while tasks write."""
        with self._lock:
            self._allowance.set_limits(ceilings, self._clock())

    def totals(self) -> tuple[Totals, dict[str, float]]:
        """What tasks have reported so far, and the units per second that are allowed now."""
        with self._lock:
            return self._allowance.totals.copy(), self._allowance.rates

    @property
    def connected(self) -> int:
        """Task processes that are connected."""
        return len(self._tasks)

    def _serve(self) -> None:
        try:
            while not self._closing:
                for key, events in self._selector.select(self._timeout()):
                    if key.fileobj is self._listener:
                        self._accept()
                    elif key.data is not None:
                        self._ready(key.data, events)
                self._drop_silent()
                self._give()
        finally:
            for connection in list(self._connections.values()):
                self._drop(connection)
            for end in (self._listener, self._wake, self._woken, self._selector):
                end.close()

    def _timeout(self) -> float:
        with self._lock:
            seconds = self._allowance.seconds_until_grant(self._clock())
        # A little later than due, rather than twice.
        return LOOK_SECONDS if seconds is None else min(LOOK_SECONDS, seconds + 1e-4)

    def _accept(self) -> None:
        try:
            accepted, _ = self._listener.accept()
        except OSError:  # it has gone again
            return
        if len(self._connections) >= MOST_CONNECTIONS:
            accepted.close()
            return
        accepted.setblocking(False)
        accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection = _Connection(accepted, self._clock())
        self._connections[accepted.fileno()] = connection
        self._selector.register(accepted, selectors.EVENT_READ, connection)
        with self._dropped_on_error(connection):
            self._send(connection, messages.line({"nonce": connection.nonce}))

    def _ready(self, connection: _Connection, events: int) -> None:
        with self._dropped_on_error(connection):
            if events & selectors.EVENT_WRITE:
                self._send(connection, b"")
            if events & selectors.EVENT_READ:
                self._receive(connection)

    def _receive(self, connection: _Connection) -> None:
        received = connection.socket.recv(READ_BYTES)
        if not received:
            raise ConnectionError("the task closed the connection")
        *lines, connection.received = (connection.received + received).split(b"\n")
        for line in lines:
            if connection.task:
                with self._lock:
                    self._allowance.ask(connection.task, messages.read_ask(line), self._clock())
            else:
                self._prove(connection, line)
        most = messages.MOST_LINE_BYTES if connection.task else messages.MOST_PROOF_BYTES
        if len(connection.received) > most:
            raise ValueError("a line is too long")

    def _prove(self, connection: _Connection, line: bytes) -> None:
        """Exchange proofs; a task that connects again replaces its earlier connection."""
        read = messages.document(line)
        task, nonce, proof = (messages.text(read, name) for name in ("task", "nonce", "proof"))
        nonces = (connection.nonce, nonce)
        if not task or not self._key.proves(proof, "task", task, *nonces):
            raise ValueError("a wrong proof")
        if earlier := self._tasks.pop(task, None):
            self._drop(earlier)
        connection.task = task
        self._tasks[task] = connection
        self._send(connection, messages.line({"proof": self._key.proof("driver", task, *nonces)}))

    def _give(self) -> None:
        """Send the grants that are due, and a sign of life to those that wait."""
        now = self._clock()
        with self._lock:
            grants = self._allowance.grants(now)
            if now - self._alive >= ALIVE_SECONDS:
                self._alive = now
                grants += [(task, Grant()) for task in self._allowance.waiting()]
        for task, grant in grants:
            if connection := self._tasks.get(task):
                with self._dropped_on_error(connection):
                    self._send(connection, messages.grant_line(grant))

    def _send(self, connection: _Connection, line: bytes) -> None:
        unsent = connection.unsent + line
        with suppress(BlockingIOError):
            unsent = unsent[connection.socket.send(unsent) :] if unsent else b""
        if len(unsent) > MOST_UNREAD_BYTES:
            raise ConnectionError("the task does not read")
        if bool(unsent) != bool(connection.unsent):
            events = selectors.EVENT_READ | (selectors.EVENT_WRITE if unsent else 0)
            self._selector.modify(connection.socket, events, connection)
        connection.unsent = unsent

    def _drop_silent(self) -> None:
        """Close connections that did not prove that they are tasks."""
        now = self._clock()
        for connection in [c for c in self._unproved() if now - c.since >= PROOF_SECONDS]:
            self._drop(connection)

    def _unproved(self) -> Iterator[_Connection]:
        if len(self._connections) > len(self._tasks):
            yield from (c for c in self._connections.values() if not c.task)

    @contextmanager
    def _dropped_on_error(self, connection: _Connection) -> Iterator[None]:
        """A broken connection, and one that does not keep to the messages, ends alone."""
        try:
            yield
        except (OSError, ValueError):
            self._drop(connection)

    def _drop(self, connection: _Connection) -> None:
        if self._connections.pop(connection.socket.fileno(), None) is None:
            return
        if self._tasks.get(connection.task) is connection:
            del self._tasks[connection.task]
        if connection.task:
            with self._lock:
                self._allowance.lost(connection.task)
        self._selector.unregister(connection.socket)
        connection.socket.close()
