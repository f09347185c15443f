"""A cluster that writes at the pace of the loader's own classes, in simulated time.

Tasks are processes with several requests in flight. Network, broker and table have latencies.
"""

import heapq
import itertools
import random
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

from loader.pace.allowance import Allowance
from loader.pace.ceiling import Ceiling
from loader.pace.lease import Lease
from loader.pace.report import TABLE, Ask, Grant, Spent, Throttle

BATCH = 25
BIN = 0.1
BROKER_SECONDS = 50e-6
BACKOFF = 0.05


@dataclass
class Table:
    """`accepts` is the ceiling of the table at a time, with a burst of a second; None: no ceiling.

    `index` is what its global index `by_item` consumes per unit of the table.
    """

    accepts: Callable[[float], float] | None = None
    slow_share: float = 0.01  # of the requests
    burst_seconds: float = 1.0
    index: float = 0.0
    written: defaultdict[int, float] = field(default_factory=lambda: defaultdict(float))
    requests: int = 0
    throttled: int = 0
    _units: float | None = None
    _time: float = 0.0

    def write(self, now: float, units: float) -> float:
        """The units that are accepted now."""
        self.requests += 1
        if self.accepts is not None:
            rate = self.accepts(now)
            held = (
                rate * self.burst_seconds
                if self._units is None
                else self._units + (now - self._time) * rate
            )
            self._units, self._time = min(rate * self.burst_seconds, held), now
            accepted = min(units, max(0.0, self._units))
            self.throttled += accepted < units
            units, self._units = accepted, self._units - accepted
        self.written[int(now / BIN)] += units
        return units

    def rate(self, begin: float, end: float) -> float:
        return sum(self.written[i] for i in range(int(begin / BIN), int(end / BIN))) / (end - begin)

    def worst(self, seconds: float, end: float) -> float:
        """The highest mean rate over any such window."""
        bins, width = int(end / BIN), int(seconds / BIN)
        values = [self.written[i] for i in range(bins)]
        sums = [0.0, *itertools.accumulate(values)]
        return max(sums[i + width] - sums[i] for i in range(bins - width)) / seconds


@dataclass
class Task:
    name: str
    work: float  # estimated units to write
    connections: int
    latency: float  # mean seconds of a request
    lease: Lease
    factor: float = 1.0  # consumed units per estimated one
    written: float = 0.0
    ended: float | None = None
    dead: bool = False
    in_flight: int = 0
    arrival: float = 0.0  # of its last message at the broker


class Cluster:
    """Runs tasks in the slots of executors until all have ended."""

    def __init__(
        self,
        allowance: Allowance,
        table: Table,
        works: Sequence[float],
        slots: int,
        seed: int = 7,
        connections: int = 4,
        factor: float = 1.0,
        latencies: tuple[float, float] = (0.005, 0.05),
    ) -> None:
        self.now = 0.0
        self.allowance, self.table = allowance, table
        self.random = random.Random(seed)  # noqa: S311
        self.tasks = [
            Task(
                f"task {i}",
                work,
                connections,
                self.random.uniform(*latencies),
                self._lease(),
                factor,
            )
            for i, work in enumerate(works)
        ]
        self.waiting = iter(self.tasks)
        self.events: list[tuple[float, int, Callable[[], None]]] = []
        self.numbers = itertools.count()
        self.exchanges = 0
        self.broker_free = 0.0
        self.broker_alarm = float("inf")
        self.broker_up = True
        for _ in range(slots):
            self.after(self.random.uniform(0, 0.2), self._start)

    def _lease(self) -> Lease:
        return Lease(lambda: self.now)

    def after(self, seconds: float, call: Callable[[], None]) -> None:
        heapq.heappush(self.events, (self.now + seconds, next(self.numbers), call))

    def run(self, until: float = float("inf")) -> None:
        while self.events and self.events[0][0] <= until:
            self.now, _, call = heapq.heappop(self.events)
            call()
        if until != float("inf"):
            self.now = until

    def _start(self) -> None:
        task = next(self.waiting, None)
        if task:
            for _ in range(task.connections):
                self._send(task)

    def _network(self) -> float:
        return self.random.lognormvariate(-7.2, 0.6)  # about 0.75 ms

    def _send(self, task: Task) -> None:
        """A free connection takes the next batch."""
        if task.dead or task.work <= 0:
            if not task.dead and task.ended is None and not task.in_flight:
                task.ended = self.now
                self._carry(task, task.lease.final())
                self._start()
            return
        units = min(BATCH, task.work)
        task.work -= units
        task.in_flight += 1
        self._write(task, units)

    def _write(self, task: Task, units: float, retries: int = 0) -> None:
        if task.dead:
            return
        seconds = task.lease.wait(units)
        self._exchange(task)
        if seconds > 0:
            self.after(seconds, lambda: self._write(task, units, retries))
            return
        slow = self.random.random() < self.table.slow_share
        latency = (
            self.random.uniform(0.1, 0.5) if slow else self.random.expovariate(1 / task.latency)
        )
        self.after(latency / 2, lambda: self._at_table(task, units, retries, latency / 2))

    def _exchange(self, task: Task) -> None:
        if self.broker_up and (ask := task.lease.due()):
            self._carry(task, ask)

    def _carry(self, task: Task, ask: Ask) -> None:
        """A connection keeps the order of its messages."""
        task.arrival = max(task.arrival, self.now + self._network())
        self.after(task.arrival - self.now, lambda: self._broker_gets(task, ask))

    def _at_table(self, task: Task, units: float, retries: int, back: float) -> None:
        accepted = self.table.write(self.now, units * task.factor) / task.factor
        self.after(back, lambda: self._answer(task, units, accepted, retries))

    def _answer(self, task: Task, units: float, accepted: float, retries: int) -> None:
        if task.dead:
            return
        throttles = [Throttle()] if accepted < units else []
        consumed = {TABLE: accepted * task.factor}
        if self.table.index:
            consumed["by_item"] = accepted * task.factor * self.table.index
        task.lease.answered(Spent(units, accepted, consumed, units - accepted, throttles))
        task.written += accepted
        self._exchange(task)
        if accepted < units - 1e-9:
            cap = min(5.0, BACKOFF * 2 ** (retries + 1))
            left = units - accepted
            self.after(self.random.uniform(0, cap), lambda: self._write(task, left, retries + 1))
            return
        task.in_flight -= 1
        self._send(task)

    def _broker_gets(self, task: Task, ask: Ask) -> None:
        """The broker serves one message after the other."""
        if self.broker_up:
            self.exchanges += 1
            self.broker_free = max(self.broker_free, self.now) + BROKER_SECONDS
            self.after(self.broker_free - self.now, lambda: self._broker_serves(task, ask))

    def _broker_serves(self, task: Task, ask: Ask) -> None:
        self.allowance.ask(task.name, ask, self.now)
        self._broker_grants()

    def _broker_grants(self) -> None:
        if not self.broker_up:
            return
        for name, grant in self.allowance.grants(self.now):
            task = self.tasks[int(name.split()[1])]
            self.after(self._network(), partial(self._granted, task, grant))
        seconds = self.allowance.seconds_until_grant(self.now)
        if seconds is not None and self.now + seconds < self.broker_alarm - 1e-9:
            self.broker_alarm = alarm = self.now + seconds
            self.after(seconds + 1e-4, lambda: self._alarm(alarm))

    def _alarm(self, alarm: float) -> None:
        if alarm == self.broker_alarm:
            self.broker_alarm = float("inf")
            self._broker_grants()

    def _granted(self, task: Task, grant: Grant) -> None:
        if not task.dead:
            task.lease.granted(grant)

    def kill(self, tasks: Sequence[Task]) -> None:
        for task in tasks:
            task.dead = True
            self.allowance.lost(task.name)

    def restart_broker(self, seconds: float) -> None:
        """The broker is away for some time, and then all tasks connect again."""
        self.broker_up = False

        def restart() -> None:
            self.broker_up, self.broker_alarm = True, float("inf")
            for task in self.tasks:
                self.allowance.lost(task.name)
                task.lease.repeat()

        self.after(seconds, restart)


def fixed(limit: float, **indexes: float) -> dict[str, Ceiling]:
    limits = {TABLE: limit, **indexes}
    return {name: Ceiling(limit, limit) for name, limit in limits.items()}


def jain(values: Sequence[float]) -> float:
    return sum(values) ** 2 / (len(values) * sum(v * v for v in values))
