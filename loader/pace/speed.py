"""How fast tasks use capacity, in the words of a terminal's line. Pure: the time is an argument."""

import math
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field

from loader.pace.allowance import Totals
from loader.pace.report import TABLE

# The speeds are those of this time: a changed limit shows soon, and a single answer does not.
WINDOW_SECONDS = 5.0


@dataclass
class Window:
    """What tasks have reported in the last seconds, from the first request on."""

    began: float
    _samples: deque[tuple[float, Totals]] = field(default_factory=deque, init=False)

    def __post_init__(self) -> None:
        self._samples.append((self.began, Totals()))

    def add(self, now: float, totals: Totals) -> tuple[float, Totals]:
        """Enter the totals of now; returns the seconds of the window and those at its start."""
        samples = self._samples
        if not totals.requests:  # tasks are starting
            samples.clear()
            samples.append((now, totals))
        while len(samples) > 1 and samples[1][0] <= now - WINDOW_SECONDS:
            samples.popleft()
        since, before = samples[0]
        samples.append((now, totals))
        return now - since, before


def used_since(before: Totals, totals: Totals) -> dict[str, float]:
    """The units by resource."""
    return {name: units - before.consumed.get(name, 0.0) for name, units in totals.consumed.items()}


def capacity_text(
    consumed: Mapping[str, float],
    seconds: float,
    allowed: Mapping[str, float],
    unit: str,
    with_limit: bool = True,
) -> str:
    """The units per second of the table, or of an index that uses more of what it may use.

    A second may begin with a request of its units, so a shorter time counts as one.
    """

    def used(name: str) -> float:
        return consumed.get(name, 0.0) / max(1.0, seconds)

    tightest = max(
        sorted(allowed, key=lambda name: name != TABLE),
        key=lambda name: round(used(name) / allowed[name], 1),
    )
    of_index = f" of index {tightest}" if tightest != TABLE else ""
    limit = f" of {tidy(allowed[tightest])}" if with_limit else ""
    return f"{tidy(used(tightest))}{limit} {unit}/s{of_index}"


def tidy(value: float) -> str:
    """Three digits: more of them only flicker."""
    if value <= 0:
        return "0"
    decimals = 2 - math.floor(math.log10(value))
    rounded = round(value, decimals)
    return f"{rounded:,.0f}" if rounded >= 10 else f"{rounded:,.1f}".removesuffix(".0")


def duration(seconds: float) -> str:
    """12 s, 5 min, 2 h 05 min; never less than it is."""
    if seconds <= 99:
        return f"{math.ceil(seconds)} s"
    minutes = math.ceil(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60:,} h {minutes % 60:02d} min"
