"""The pace of an apply: a broker in the driver, and a watch of what it may give out.

The limits are looked up again while tasks write, because auto scaling or an operator may change
the table, and a person the setting: the file `pace.txt` in the run's folder, with `500`, `50%` or
`max`, takes precedence over the setting of the run.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from loader.capacity_setting import CapacitySetting, capacity_setting
from loader.dynamodb.allowed_rates import AllowedRate, ceilings
from loader.errors import LoaderError, Refused, reason
from loader.pace.allowance import Allowance, Totals
from loader.pace.broker import Broker, listen
from loader.pace.client import Address
from loader.pace.messages import Key
from loader.storage.location import Location

PACE_FILE = "pace.txt"
LOOK_SECONDS = 2.0
# A look may describe a table for as long as botocore tries; the end of an apply does not wait.
END_SECONDS = 1.0
# A broker that ended by an error is started again so many times.
RESTARTS = 3


@dataclass(frozen=True)
class Place:
    """Where the broker listens, and under which name executors reach the driver."""

    host: str
    bind: str
    port: int = 0


def driver_place(properties: Mapping[str, str], port: int = 0) -> Place:
    """As Spark's own: executors reach the driver at `spark.driver.host`."""
    host = properties.get("spark.driver.host", "127.0.0.1").strip("[]")
    bind = properties.get("spark.driver.bindAddress", host).strip("[]")
    return Place(host, bind, port)


def port_problem(place: Place) -> str | None:
    """Why the driver cannot listen at the chosen port, or None."""
    try:
        listen(place.bind, place.port).close()
    except OSError as error:
        return _cannot_listen(place, error)
    return None


def _cannot_listen(place: Place, error: OSError) -> str:
    return (
        f"cannot listen for tasks at {place.bind}, port {place.port or 'any'}: {reason(error)}. "
        "Choose a free port with --pace-port, and an address of the driver in "
        "spark.driver.bindAddress"
    )


def current_setting(folder: Location, otherwise: CapacitySetting) -> CapacitySetting:
    """The setting in the run's folder, or the other one; raises `Refused` for an invalid one."""
    try:
        text = folder.read(PACE_FILE).decode("utf-8", "replace")
    except FileNotFoundError:
        return otherwise
    try:
        return capacity_setting(text)
    except ValueError as error:
        raise Refused(
            f"{folder / PACE_FILE} {error}: correct it; the limit stays as it was"
        ) from None


@dataclass
class Pacing:
    """The limits of an apply while its tasks write.

    `address` goes to the tasks; None if there is no limit. `allowed` has (seconds since 1970,
    units per second by resource) of each change that a look saw, and `problems` why the limits
    could not be looked up. `alone` counts the tasks that use a fixed share, which the others do
    not get.
    """

    rates: Callable[[], Sequence[AllowedRate]]
    alone: Callable[[], int] = lambda: 0
    broker: Broker | None = None
    address: Address | None = None
    allowed: list[tuple[float, dict[str, float]]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    _known: tuple[Sequence[AllowedRate], int] = ((), 0)
    # Units per second of the tasks with a fixed share.
    _reserved: dict[str, float] = field(default_factory=dict)
    _restarts: int = 0
    _changing: threading.Lock = field(default_factory=threading.Lock)
    _ended: bool = False

    def totals(self) -> tuple[Totals, dict[str, float]]:
        """What tasks have reported, and the units per second that are allowed now."""
        return self.broker.totals() if self.broker else (Totals(), {})

    def look(self) -> None:
        """Look the limits up again, and see that the broker serves; nothing after the end."""
        with self._changing:
            if self.broker is None or self._ended:
                return
            self._restart(self.broker)
        (rates, alone), problem = self._known, ""
        try:
            rates, alone = self.rates(), self.alone()
        except LoaderError as error:
            problem = reason(error)
        with self._changing:
            if self._ended:  # meanwhile
                return
            if problem:
                self._add(problem)
            self._take(rates, alone)
            # The broker changes them too, when the table throttles.
            allowed = {
                name: rate + self._reserved.get(name, 0.0)
                for name, rate in self.totals()[1].items()
            }
            if allowed != self.allowed[-1][1]:
                self.allowed.append((time.time(), allowed))

    def end(self) -> None:
        """Serve no more; a look that is waiting for an answer changes nothing."""
        with self._changing:
            self._ended = True
        if self.broker:
            self.broker.close()

    def _restart(self, broker: Broker) -> None:
        """Start the broker again if it ended by an error."""
        if broker.is_serving or self._restarts >= RESTARTS:
            return
        self._restarts += 1
        try:
            self.broker = broker.restarted()
        except OSError as error:
            self._add(f"cannot start the capacity broker again: {reason(error)}")

    def _take(self, rates: Sequence[AllowedRate], alone: int) -> None:
        if (rates, alone) == self._known or not self.broker or not (limits := ceilings(rates)):
            return
        self._known = (rates, alone)
        shares = self.address.share if self.address else {}
        for name, ceiling in limits.items():
            self._reserved[name] = ceiling.reserve(alone * shares.get(name, 0.0))
        self.broker.set_limits(limits)

    def _add(self, problem: str) -> None:
        if problem not in self.problems:
            self.problems.append(problem)


@contextmanager
def paced(
    rates: Callable[[], Sequence[AllowedRate]],
    place: Place,
    slots: int,
    ratios: Mapping[str, float] | None = None,
    key: Key | None = None,
    alone: Callable[[], int] = lambda: 0,
) -> Iterator[Pacing]:
    """Serve tasks for the time of a block; nothing is served if there is no limit.

    `ratios` are the units that a resource is expected to consume per write unit of the items. A
    task that cannot reach the broker uses one of `slots` shares; `alone` counts such tasks. Raises
    `Refused` if the driver cannot listen.
    """
    pacing, first = Pacing(rates, alone), rates()
    limits = ceilings(first)
    if not limits:
        yield pacing
        return
    key = key or Key()
    try:
        allowance = Allowance(limits, time.monotonic(), ratios)
        pacing.broker = Broker(allowance, key, place.bind, place.port)
    except OSError as error:
        raise Refused(_cannot_listen(place, error)) from None
    share = {name: ceiling.rate / slots for name, ceiling in limits.items()}
    pacing.address = Address(place.host, pacing.broker.port, key, share)
    pacing._known = (first, 0)
    pacing.allowed.append((time.time(), allowance.rates))
    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(LOOK_SECONDS):
            pacing.look()

    thread = threading.Thread(target=watch, name="capacity watch", daemon=True)
    thread.start()
    try:
        yield pacing
    finally:
        ended.set()
        thread.join(END_SECONDS)
        pacing.end()
