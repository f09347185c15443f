"""The pace of a task process: spends a lease that the broker in the driver fills.

    begin()     before each slice
    stopped()   before each request: why to send nothing more, or None
    wait(…)     before each request: 0, or the seconds after which to call again
    answered(…) after each answer
    finish()    at the end of a slice

A slice that lost the driver writes nothing more after `STOP_SECONDS`: its units end earlier. Spark
counts its task as a success and gives the process the next slice, for which it connects again. A
process that cannot connect when a slice begins keeps to a fixed share of the limit; `fallback` says
why.
"""

import random
import socket
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from loader.errors import reason
from loader.pace import messages
from loader.pace.allowance import Allowance
from loader.pace.ceiling import Ceiling
from loader.pace.lease import Lease
from loader.pace.report import ALIVE_SECONDS, Ask, Spent

CONNECT_SECONDS = 2.0
ATTEMPTS = 3
# Between two attempts: random, up to this.
PAUSE_SECONDS = 1.0
STOP_SECONDS = 10.0
# A driver that gives so few signs of life is connected again.
SILENT_SECONDS = 2.5 * ALIVE_SECONDS
READ_BYTES = 1 << 16


@dataclass(frozen=True)
class Address:
    """How tasks find the broker. `share` has the fixed rates, by resource, of one without it."""

    host: str
    port: int
    key: messages.Key
    share: Mapping[str, float] = field(default_factory=dict, hash=False)

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


def pace_client(
    address: Address, job: str, connect: Callable[[Address], "Client"] | None = None
) -> "Client":
    """The client of a slice that begins.

    There is one per worker process and Spark job: connection and units outlive a slice.
    """
    pace = _client(address, job, connect or Client)
    pace.begin()
    return pace


@lru_cache(maxsize=1)
def _client(address: Address, job: str, connect: Callable[[Address], "Client"]) -> "Client":
    return connect(address)


class Client:
    """Connects when it is created, and again if it is lost when a slice begins.

    Each takes at most `ATTEMPTS` attempts.
    """

    def __init__(
        self,
        address: Address,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        uniform: Callable[[float, float], float] = random.uniform,
    ) -> None:
        self._address, self._clock = address, clock
        self._sleep, self._uniform = sleep, uniform
        self._task = uuid.uuid4().hex
        self._lease = Lease(clock)
        self._socket: socket.socket | None = None
        self._received = self._unsent = b""
        self._heard = self._alone_since = clock()
        self._next_attempt = 0.0
        self._failure = ""
        self._stopped: str | None = None
        self._own: Allowance | None = None
        self.fallback: str | None = None
        self._start()

    @property
    def name(self) -> str:
        return self._task

    @property
    def request_units(self) -> float:
        """The most units that one request should take; one change may take more."""
        return self._lease.request_units

    def begin(self) -> None:
        """Start again if the driver has been lost for `STOP_SECONDS`, also between two slices."""
        if self._own or self._socket or self._clock() - self._alone_since < STOP_SECONDS:
            return
        self._stopped = None
        self._start()

    def stopped(self) -> str | None:
        """Why the slice may send nothing more, or None."""
        return self._stopped

    def wait(self, units: float) -> float:
        """Spend the units of a request: 0, or the seconds after which to call again."""
        if self._own is None:
            self._exchange()
            seconds = self._lease.wait(units)
            self._carry(self._lease.due())
            return seconds
        self._take_own()
        if self._lease.wait(units) == 0:
            return 0.0
        self._carry(self._lease.due())
        return self._lease.wait(units)

    def answered(self, spent: Spent) -> None:
        """Enter the answer to a request."""
        self._lease.answered(spent)
        self._carry(self._lease.due())

    def finish(self) -> None:
        """Give back the units, and report all answers."""
        self._carry(self._lease.final())

    def close(self) -> None:
        if self._socket:
            self._socket.close()
            self._socket = None

    def _start(self) -> None:
        """Connect, or keep to a fixed share from now on."""
        for attempt in range(ATTEMPTS):
            if attempt:
                self._sleep(self._uniform(0.0, PAUSE_SECONDS))
            if self._connect():
                return
        self.fallback = f"cannot connect to the driver at {self._address}: {self._failure}"
        ceilings = {name: Ceiling(rate, rate) for name, rate in self._address.share.items()}
        self._own = Allowance(ceilings, self._clock())
        self._lease.repeat()

    def _exchange(self) -> None:
        """Read grants; connect again to a driver that was lost; stop after `STOP_SECONDS`."""
        asked = self._lease.asked
        if self._socket and asked is not None:
            self._receive()
            since = max(self._heard, asked)
            if self._socket and self._clock() - since >= SILENT_SECONDS:
                self._lose(f"no answer for {SILENT_SECONDS:g} s", since)
        if self._socket is None and not self._stopped:
            self._reconnect()

    def _reconnect(self) -> None:
        now = self._clock()
        if now < self._next_attempt or self._connect():
            return
        now = self._clock()
        self._next_attempt = now + self._uniform(0.0, PAUSE_SECONDS)
        if now - self._alone_since >= STOP_SECONDS:
            self._stopped = (
                f"the task has lost the driver at {self._address} for {STOP_SECONDS:g} s: "
                f"{self._failure}"
            )

    def _lose(self, failure: str, since: float) -> None:
        self.close()
        self._failure, self._alone_since, self._next_attempt = failure, since, 0.0

    def _connect(self) -> bool:
        """Connect, and exchange proofs."""
        place = (self._address.host, self._address.port)
        connection: socket.socket | None = None
        try:
            connection = socket.create_connection(place, CONNECT_SECONDS)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._prove(connection)
        except (OSError, ValueError) as error:
            self._failure = reason(error)
            if connection:
                connection.close()
            return False
        connection.setblocking(False)
        self._socket, self._received, self._unsent = connection, b"", b""
        self._heard = self._clock()
        self._lease.repeat()
        return True

    def _prove(self, connection: socket.socket) -> None:
        key, own = self._address.key, messages.nonce()
        with connection.makefile("rb") as lines:
            nonce = messages.text(self._line(lines.readline(messages.MOST_PROOF_BYTES)), "nonce")
            nonces = (self._task, nonce, own)
            proof = key.proof("task", *nonces)
            line = messages.line({"task": self._task, "nonce": own, "proof": proof})
            connection.sendall(line)
            answer = self._line(lines.readline(messages.MOST_PROOF_BYTES))
        if not key.proves(messages.text(answer, "proof"), "driver", *nonces):
            raise ValueError("it does not know the key of the run")

    def _line(self, line: bytes) -> dict[str, Any]:
        if not line.endswith(b"\n"):
            raise ValueError("it does not answer as the driver of a run")
        return messages.document(line)

    def _receive(self) -> None:
        """Take the grants that have come, without waiting for one."""
        if self._socket is None:
            return
        try:
            received = self._socket.recv(READ_BYTES)
            if not received:
                raise ConnectionError("it closed the connection")
            *lines, self._received = (self._received + received).split(b"\n")
            for line in lines:
                self._lease.granted(messages.read_grant(line))
            self._heard = self._clock()
        except BlockingIOError:
            return
        except (OSError, ValueError) as error:
            self._lose(reason(error), self._clock())

    def _carry(self, ask: Ask | None) -> None:
        """Send an ask, or the rest of one, without waiting."""
        if self._own:
            if ask:
                self._own.ask(self._task, ask, self._clock())
                self._take_own()
            return
        if self._socket is None:
            return
        self._unsent += messages.ask_line(ask) if ask else b""
        if self._unsent:
            try:
                self._unsent = self._unsent[self._socket.send(self._unsent) :]
            except BlockingIOError:
                return
            except OSError as error:
                self._lose(reason(error), self._clock())

    def _take_own(self) -> None:
        if self._own:
            for _, grant in self._own.grants(self._clock()):
                self._lease.granted(grant)
