"""The capacity that a run may use, given out to its tasks.

The driver grants units, not rates: each unit is given out once, so the sum over all tasks cannot
exceed the limit, whatever tasks start, wait, end or die, and no clock is shared. A task asks when
it has used most of its units, and gets a share of about `TURN_SECONDS`. Those who ask are served
in the order of what they got so far (start-time fair queueing): all that want more get the same,
and what the others do not ask for moves to them within a turn.

Pure: the time is an argument.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from heapq import heappop, heappush
from math import inf

from loader.pace.ceiling import LOOK_SECONDS, Ceiling
from loader.pace.pool import Pool
from loader.pace.report import TABLE, Ask, Grant, Report, Throttle

# A grant has a task's share of this time; tasks in large number get more, less often, so that the
# driver answers at most about EXCHANGES per second.
TURN_SECONDS = 0.1
EXCHANGES = 2_000
# A request takes at most the units of this time, so that one of large items is no burst.
REQUEST_SECONDS = 0.1
# A task that has not asked for so long has no share.
ACTIVE_SECONDS = 1.0


@dataclass
class _Client:
    """One task process: `debits` are the units, by resource, of the `held` estimated ones."""

    report: Report
    held: float = 0.0
    debits: dict[str, float] = field(default_factory=dict)
    served: float = 0.0  # virtual time: estimated units
    asked: float = -inf
    waiting: Ask | None = None
    turn: int = 0
    granted: int = 0  # the number of the last ask that was granted


@dataclass
class Totals:
    """What all tasks reported since the start, in the terms of `Report`."""

    consumed: dict[str, float] = field(default_factory=dict)
    requests: int = 0
    throttles: Counter[Throttle] = field(default_factory=Counter)
    written: float = 0.0

    def copy(self) -> "Totals":
        return Totals(dict(self.consumed), self.requests, self.throttles.copy(), self.written)


class Allowance:
    """Gives out the units of a table and its global indexes, each with a ceiling.

    `ratios` are the units that a resource is expected to consume per estimated unit.
    """

    def __init__(
        self,
        ceilings: Mapping[str, Ceiling],
        now: float,
        ratios: Mapping[str, float] | None = None,
    ) -> None:
        self._ceilings: dict[str, Ceiling] = {}
        self._pools: dict[str, Pool] = {}
        self._ratios = dict(ratios or {})
        self._clients: dict[str, _Client] = {}
        self._queue: list[tuple[float, int, str]] = []
        self._turn = 0
        self._served = 0.0
        self._active = 1
        self._looked = now
        self._seen = Totals()  # since the last look
        self.totals = Totals()
        self.set_limits(ceilings, now)

    def set_limits(self, ceilings: Mapping[str, Ceiling], now: float) -> None:
        """New limits, while tasks write. What was learned of a resource stays known."""
        for name, ceiling in ceilings.items():
            if name in self._pools:
                self._pools[name].refill(now)
                self._pools[name].rate = ceiling.rate
            else:
                self._pools[name] = Pool(ceiling.rate, now, self._ratios.get(name, 1.0))
        for name in self._pools.keys() - ceilings.keys():
            del self._pools[name]
        self._ceilings = dict(ceilings)

    @property
    def rates(self) -> dict[str, float]:
        """The allowed units per second by resource."""
        return {name: pool.rate for name, pool in self._pools.items()}

    @property
    def active(self) -> int:
        """Task processes that asked lately."""
        return self._active

    def ask(self, client: str, ask: Ask, now: float) -> None:
        """Enter a report and, if it asks for units, the client into the queue."""
        state = self._clients.setdefault(client, _Client(ask.report))
        self._enter(state, ask.report)
        if ask.least <= 0:
            state.waiting = None
            return
        if ask.number <= state.granted:  # the grant is on its way
            return
        state.asked = now
        if state.waiting is None:
            self._turn += 1
            state.served, state.turn = max(state.served, self._served), self._turn
            heappush(self._queue, (state.served, state.turn, client))
        state.waiting = ask

    def lost(self, client: str) -> None:
        """The connection of a client broke. It may spend what it holds, so that stays debited."""
        if client in self._clients:
            self._clients[client].waiting = None

    def waiting(self) -> list[str]:
        """The clients that wait for units."""
        return [name for name, client in self._clients.items() if client.waiting]

    def grants(self, now: float) -> list[tuple[str, Grant]]:
        """The grants that are due, in their order."""
        self._look(now)
        for pool in self._pools.values():
            pool.refill(now)
        grants = []
        while (client := self._first()) and all(p.units >= 0 for p in self._pools.values()):
            self._served = max(self._served, heappop(self._queue)[0])
            grants.append((client, self._grant(self._clients[client])))
        return grants

    def seconds_until_grant(self, now: float) -> float | None:
        """When to call `grants` again; None while no client waits."""
        if not self._first():
            return None
        for pool in self._pools.values():
            pool.refill(now)
        return max([pool.seconds_until_positive for pool in self._pools.values()], default=0.0)

    def _first(self) -> str | None:
        """The client whose turn it is; drops those that no longer wait from the queue."""
        while self._queue:
            _, turn, client = self._queue[0]
            state = self._clients[client]
            if state.waiting and state.turn == turn:
                return client
            heappop(self._queue)
        return None

    def _grant(self, client: _Client) -> Grant:
        ask = client.waiting or Ask(Report())
        rate = min([p.rate / max(p.ratio, 1e-9) for p in self._pools.values()], default=inf)
        share = rate * max(TURN_SECONDS, self._active / EXCHANGES) / self._active
        units = max(ask.least, min(ask.most, share))
        client.waiting, client.granted = None, ask.number
        client.served += units
        client.held += units
        for name, pool in self._pools.items():
            debit = units * pool.ratio
            pool.units -= debit
            client.debits[name] = client.debits.get(name, 0.0) + debit
        return Grant(units, rate * REQUEST_SECONDS)

    def _enter(self, client: _Client, report: Report) -> None:
        """Replace the estimates that were debited by what was consumed, and add to the totals.

        What was throttled consumed nothing, but stays debited: otherwise a table that has no
        capacity left would get more requests than one that has.
        """
        before, client.report = client.report, report
        settled = report.settled - before.settled + report.returned - before.returned
        written = report.written - before.written
        rejected = report.rejected - before.rejected
        part = min(1.0, settled / client.held) if client.held > 0 else 0.0
        client.held = max(0.0, client.held - settled)
        for name, debit in client.debits.items():
            client.debits[name] = debit * (1 - part)
            if name in self._pools:
                self._pools[name].units += debit * part
        consumed = {
            name: units - before.consumed.get(name, 0.0) for name, units in report.consumed.items()
        }
        for name, pool in self._pools.items():
            pool.units -= consumed.get(name, 0.0) + rejected * pool.ratio
            if written > 0:
                pool.learn(consumed.get(name, 0.0), written)
        for totals in (self._seen, self.totals):
            totals.requests += report.requests - before.requests
            totals.written += written
            for name, units in consumed.items():
                totals.consumed[name] = totals.consumed.get(name, 0.0) + units
            for key, count in report.throttles.items():
                totals.throttles[key] += count - before.throttles.get(key, 0)

    def _look(self, now: float) -> None:
        """Correct the ceilings, and count the active clients, every `LOOK_SECONDS`."""
        seconds = now - self._looked
        if seconds < LOOK_SECONDS:
            return
        seen, self._seen, self._looked = self._seen, Totals(), now
        throttled = self._throttled(seen)
        for name, ceiling in self._ceilings.items():
            ceiling.look(seconds, seen.consumed.get(name, 0.0), seen.requests, throttled[name])
            self._pools[name].refill(now)
            self._pools[name].rate = ceiling.rate
        asked = [c for c in self._clients.values() if c.waiting or now - c.asked < ACTIVE_SECONDS]
        self._active = max(1, len(asked))

    def _throttled(self, seen: Totals) -> Counter[str]:
        """Throttled requests by resource; those of a hot key slow only their own task.

        One that names no resource with a limit counts for the one that is used most.
        """
        used = {
            name: seen.consumed.get(name, 0.0) / pool.rate for name, pool in self._pools.items()
        }
        tightest = max(used, key=lambda name: used[name], default=TABLE)
        throttled: Counter[str] = Counter()
        for throttle, count in seen.throttles.items():
            if not throttle.hot_key:
                name = throttle.resource
                throttled[name if name in used and name is not None else tightest] += count
        return throttled
