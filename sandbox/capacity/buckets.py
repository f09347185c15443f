"""Token buckets, and on-demand capacity that grows. Pure: the caller passes the time in seconds."""

from __future__ import annotations

# Unused capacity of up to five minutes is kept.
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/burst-adaptive-capacity.html
BURST_SECONDS = 300.0
# Without a burst: capacity units are per second.
NO_BURST_SECONDS = 1.0

# "Double your previous peak within 30 minutes" may be throttled.
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/on-demand-capacity-mode.html
GROWTH_SECONDS = 1_800.0
# A peak is the average of a few seconds: a spike of a moment makes no partitions.
PEAK_SECONDS = 10.0


class TokenBucket:
    """`rate` units flow in per second; it holds those of `seconds`, and starts full.

    Any credit admits an operation, which may overdraw: an item of 400 KB can be written to a
    table of 1 WCU, which is then throttled until the debt is paid.
    """

    __slots__ = ("_at", "_held", "_tokens", "rate")

    def __init__(self, rate: float, seconds: float, now: float) -> None:
        self.rate, self._held = rate, rate * seconds
        self._tokens, self._at = self._held, now

    def has_credit(self, now: float) -> bool:
        self._refill(now)
        return self._tokens > 0

    def take(self, units: float) -> None:
        """Charge an operation that was admitted."""
        self._tokens -= units

    def change(self, rate: float, seconds: float, now: float) -> None:
        """A higher rate flows in from now on; a lower one also cuts what was kept."""
        self._refill(now)
        self.rate, self._held = rate, rate * seconds
        self._tokens = min(self._tokens, self._held)

    def _refill(self, now: float) -> None:
        self._tokens = min(self._held, self._tokens + (now - self._at) * self.rate)
        self._at = now


class Growth:
    """The ceiling of an on-demand table, which has no maximum: twice the peak of the past.

    The ceiling rises at the end of each period, to twice the highest rate in it. It never falls.
    """

    def __init__(self, ceiling: float, now: float, period: float = GROWTH_SECONDS) -> None:
        self.ceiling, self._period = ceiling, period
        self._period_end = now + period
        self._window_end = now + min(PEAK_SECONDS, period)
        self._window_seconds = min(PEAK_SECONDS, period)
        self._units = self._peak = 0.0

    def add(self, units: float, now: float) -> bool:
        """Count consumed units; True if the ceiling has risen."""
        if now >= self._window_end:
            self._peak = max(self._peak, self._units / self._window_seconds)
            self._units, self._window_end = 0.0, now + self._window_seconds
        self._units += units
        if now < self._period_end:
            return False
        risen = 2 * self._peak > self.ceiling
        self.ceiling = max(self.ceiling, 2 * self._peak)
        self._peak, self._period_end = 0.0, now + self._period
        return risen
