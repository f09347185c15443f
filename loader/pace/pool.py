"""The units of one resource that no task holds: a token bucket that may go below zero."""

from dataclasses import dataclass, field

# The bucket holds the units of this time, for moments in which no task asks.
BURST_SECONDS = 0.1
# The part of the limit that is given out: requests do not arrive as evenly as they are granted.
GIVEN = 0.99
# The ratio is the mean of what the whole rate consumes in about this time.
RATIO_SECONDS = 2.0


@dataclass
class Pool:
    """`ratio` is what the resource consumes per estimated unit: expected, then learned."""

    rate: float
    time: float
    ratio: float = 1.0
    units: float = 0.0
    _consumed: float = field(init=False)
    _written: float = field(init=False)

    def __post_init__(self) -> None:
        self._written = self.rate * RATIO_SECONDS / 4
        self._consumed = self.ratio * self._written

    def refill(self, now: float) -> None:
        """Add the units of the time since the last call. Units given back are not cut."""
        earned = (now - self.time) * self.rate * GIVEN
        self.time = now
        self.units = max(self.units, min(self.rate * BURST_SECONDS, self.units + earned))

    def learn(self, consumed: float, written: float) -> None:
        self._consumed += consumed
        self._written += written
        self.ratio = self._consumed / self._written
        if max(self._consumed, self._written) > self.rate * RATIO_SECONDS:
            self._consumed, self._written = self._consumed / 2, self._written / 2

    @property
    def seconds_until_positive(self) -> float:
        return max(0.0, -self.units / (self.rate * GIVEN))
