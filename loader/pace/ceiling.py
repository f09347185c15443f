"""The rate that a table or index accepts: found by additive increase, multiplicative decrease.

A throttled resource is slowed to what it accepted, for a moment to less, so that it recovers. Then
the rate rises to that ceiling, and past it faster and faster. So it finds the capacity that an
on-demand table adds as it splits its partitions: it accepts twice its previous peak within 30
minutes, https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/on-demand-capacity-mode.html
"""

from dataclasses import dataclass
from math import inf

# Between two looks. A batch takes up to 50 ms, so a look sees the effect of the one before.
LOOK_SECONDS = 0.5
# More throttled requests than one, and than this part of all, are too many in one look.
TOLERATED = 0.01
# After throttling: first less than what the resource accepted, for so many looks, then nearly it.
RECOVERY, RECOVERY_LOOKS = 0.88, 2
DECREASE = 0.98
# Increases per second: at first, while no throttling was seen; after throttling; and how much the
# increase grows per second once the rate has passed the ceiling.
SEARCH, INCREASE, FASTER = 0.10, 0.004, 1.2
# Never less than this part of the rate: what was accepted may be of a moment without requests.
LEAST_PART = 0.5
# A rate rises only if it is used.
USED = 0.85


@dataclass
class Ceiling:
    """The allowed rate in units per second, at most `most`.

    `known` is what the resource accepted when it throttled last, infinite if it never did.
    """

    rate: float
    most: float = inf
    known: float = inf
    _increase: float = SEARCH
    _recovering: int = 0
    _before: float = 0.0  # what was accepted in the look before

    def look(self, seconds: float, consumed: float, requests: int, throttled: int) -> None:
        """Correct the rate by what happened in the last `seconds`."""
        accepted = max(consumed / seconds, self._before)
        self._before = consumed / seconds
        too_many = throttled > max(1, TOLERATED * requests)
        if self._recovering:
            self._recovering -= 1
            # Requests of the old rate are still answered in the first look.
            if too_many and not self._recovering:
                self._decrease(accepted)
            elif not self._recovering:
                self.rate = min(self.most, DECREASE * self.known)
        elif too_many:
            self._decrease(accepted)
        elif consumed >= USED * self.rate * seconds:
            self.rate = min(self.most, self.rate * (1 + self._increase * seconds))
            if self.rate > self.known:
                self._increase = min(SEARCH, self._increase * FASTER**seconds)

    def reserve(self, units: float) -> float:
        """Take away units per second, but leave a tenth; returns what was taken."""
        taken = min(units, 0.9 * self.rate)
        self.rate -= taken
        self.most -= taken
        return taken

    def _decrease(self, accepted: float) -> None:
        self.known = min(self.rate, max(accepted, LEAST_PART * self.rate))
        self.rate = RECOVERY * self.known
        self._increase, self._recovering = INCREASE, RECOVERY_LOOKS
