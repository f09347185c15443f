"""The units that a task process holds: it spends them on requests, and asks for more in time.

Pure, except for the clock that is given. Whoever carries the asks to the driver, and its grants
back, calls `ask` and `granted` (client.py).
"""

import time
from collections import Counter
from collections.abc import Callable

from loader.pace.report import (
    REPORT_SECONDS,
    TABLE,
    VALID_SECONDS,
    Ask,
    Grant,
    Report,
    Spent,
    Throttle,
)

# How long a request waits until it looks for a grant again: the longer it waited, the longer.
FIRST_POLL, MOST_POLL = 0.005, 0.025
# A task asks again when it has spent this part of a grant that was for several requests.
SPENT = 0.5


class Lease:
    """Spends granted units on requests."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._units = 0.0
        self._expires = clock()
        self._last_grant = 0.0  # units
        self._spent = 0.0  # since the last grant
        self._asked: float | None = None
        self._need = 0.0  # the units to ask for, or that were asked for
        self._number = 0
        self._reported, self._unreported = self._expires, False
        self.request_units = float("inf")
        self._settled = self._written = self._rejected = self._returned = 0.0
        self._requests = 0
        self._consumed: dict[str, float] = {}
        self._throttles: Counter[Throttle] = Counter()

    @property
    def asked(self) -> float | None:
        """Since when an ask waits for its grant; None if none does."""
        return self._asked

    def wait(self, units: float) -> float:
        """Spend the units of a request: 0, or the seconds after which to call again."""
        now = self._clock()
        self._expire(now)
        if units <= self._units:
            self._units -= units
            self._spent += units
            if self._last_grant >= 2 * units and self._units < SPENT * self._last_grant:
                self._want(units)
            return 0.0
        self._want(units - self._units)
        waited = now - (now if self._asked is None else self._asked)
        return min(MOST_POLL, max(FIRST_POLL, waited / 4))

    def answered(self, spent: Spent) -> None:
        """Enter the answer to a request; without the consumed units, the estimate counts."""
        self._settled += spent.charged
        self._written += spent.written
        self._rejected += spent.rejected
        self._requests += 1
        self._unreported = True
        for name, units in (spent.consumed or {TABLE: spent.written}).items():
            self._consumed[name] = self._consumed.get(name, 0.0) + units
        self._throttles.update(spent.throttles)

    def due(self) -> Ask | None:
        """What to carry to the driver now, or None; it is returned once."""
        now = self._clock()
        if self._asked is None and self._need:
            self._asked, self._number = now, self._number + 1
        elif not self._unreported or now - self._reported < REPORT_SECONDS:
            return None
        self._reported, self._unreported = now, False
        if self._asked is None:
            return Ask(self._report())
        # Twice of what it spent since the last grant: a slow task does not hold what it cannot
        # spend, and a fast one grows to its share within a few turns.
        return Ask(self._report(), self._number, self._need, max(self._need, 2 * self._spent))

    def repeat(self) -> None:
        """Ask again: the last ask, or its grant, was lost with the connection."""
        self._asked = None

    def final(self) -> Ask:
        """A report that gives back all units, at the end of the task's work."""
        self._returned += self._units
        self._units = 0.0
        self._need, self._asked = 0.0, None
        return Ask(self._report())

    def granted(self, grant: Grant) -> None:
        """Take the units of a grant."""
        self.request_units = grant.request_units
        if grant.units <= 0:
            return
        now = self._clock()
        self._expire(now)
        self._units += grant.units
        self._last_grant, self._spent = grant.units, 0.0
        self._expires = now + VALID_SECONDS
        self._need, self._asked = 0.0, None

    def _want(self, least: float) -> None:
        if self._asked is None:
            self._need = max(self._need, least)

    def _expire(self, now: float) -> None:
        if self._units > 0 and now >= self._expires:
            self._returned += self._units
            self._units = 0.0

    def _report(self) -> Report:
        return Report(
            self._settled, self._written, self._rejected, self._returned, self._requests,
            dict(self._consumed), dict(self._throttles),
        )  # fmt: skip
