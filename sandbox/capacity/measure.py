"""Figures of a record: how much of the allowed capacity was used, how much was throttled. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from sandbox.capacity.admission import WRITE
from sandbox.capacity.log import SLICE_SECONDS, Record, Use

WINDOW_SECONDS = 5.0
FOLLOWING_SECONDS = 1.0
FOLLOWING_TOLERANCE = 0.05


class Step(NamedTuple):
    """Units per second that are allowed from a time on."""

    at: float
    units: float


@dataclass(frozen=True)
class Figures:
    """`used_share`: of what was allowed between the first and the last write.

    `worst_5s_share`: the largest use of any 5 seconds, of what was allowed in them.
    `throttled_share`: requests of which something was refused, of all.
    """

    used_share: float
    throttled_share: float
    worst_5s_share: float


def of(
    record: Record,
    resource: str,
    *,
    allowed: float | Sequence[Step] | None = None,
    operation: str = WRITE,
    is_counted: Callable[[str], bool] = lambda who: True,
) -> Figures:
    """The figures of a table ("users") or an index ("users/index/by_mail").

    `allowed`: units per second; as the proxy's limits were, if it is not given.
    `is_counted`: the clients whose requests count, by User-Agent.
    """
    uses = [use for use in uses_of(record, resource, operation) if is_counted(use.who)]
    steps = (
        [Step(0.0, float(allowed))]
        if isinstance(allowed, int | float)
        else list(allowed or steps_of(record, resource, operation))
    )
    return Figures(used_share(uses, steps), throttled_share(uses), worst_share(uses, steps))


def uses_of(record: Record, resource: str, operation: str = WRITE) -> list[Use]:
    return [u for u in record.uses if u.resource == resource and u.operation == operation]


def steps_of(record: Record, resource: str, operation: str = WRITE) -> list[Step]:
    """What the proxy allowed; ValueError if it did not limit the resource all the time."""
    entries = [a for a in record.allowed if a.resource == resource and a.operation == operation]
    if not entries or any(entry.units is None for entry in entries):
        raise ValueError(f"{resource} must have a limit for a share of it: set one")
    return [Step(entry.at, entry.units or 0.0) for entry in entries]


def used_share(uses: Sequence[Use], steps: Sequence[Step]) -> float:
    """Of what was allowed between the first and the last write; 0 without two of them."""
    begin = min((use.first for use in uses if use.first is not None), default=0.0)
    end = max((use.last for use in uses if use.last is not None), default=0.0)
    capacity = allowed_units(steps, begin, end)
    return sum(use.units for use in uses) / capacity if capacity else 0.0


def throttled_share(uses: Sequence[Use]) -> float:
    requests = sum(use.requests for use in uses)
    return sum(use.throttled for use in uses) / requests if requests else 0.0


def worst_share(
    uses: Sequence[Use], steps: Sequence[Step], seconds: float = WINDOW_SECONDS
) -> float:
    """The largest use of any window of time, of what was allowed in it."""
    units = _by_slice(uses)
    return max(
        (
            _within(units, begin, seconds)
            / allowed_units(steps, begin * SLICE_SECONDS, begin * SLICE_SECONDS + seconds)
            for begin in units
        ),
        default=0.0,
    )


def seconds_to_follow(uses: Sequence[Use], change: Step, until: float) -> float | None:
    """How long the use took to come near a changed limit; None if it did not.

    Near: within 5 % of it over one second.
    """
    units = _by_slice(uses)
    begin = _slice(change.at)
    last = _slice(until - FOLLOWING_SECONDS)
    for number in range(begin, last + 1):
        rate = _within(units, number, FOLLOWING_SECONDS) / FOLLOWING_SECONDS
        if abs(rate - change.units) <= FOLLOWING_TOLERANCE * change.units:
            return round((number - begin) * SLICE_SECONDS, 3)
    return None


def reasons(uses: Sequence[Use]) -> Counter[str]:
    """Refused items by throttling reason."""
    total: Counter[str] = Counter()
    for use in uses:
        total.update(use.refused)
    return total


def since(record: Record, at: float) -> Record:
    """Only what was used from a time on, such as after a warm-up."""
    return replace(record, uses=tuple(use for use in record.uses if use.at >= at))


def allowed_units(steps: Sequence[Step], begin: float, end: float) -> float:
    """What could be consumed between two times. Before the first step its limit holds too."""
    total = 0.0
    for number, step in enumerate(steps):
        first = step.at if number else min(begin, step.at)
        last = steps[number + 1].at if number + 1 < len(steps) else end
        total += step.units * max(0.0, min(last, end) - max(first, begin))
    return total


def _by_slice(uses: Sequence[Use]) -> dict[int, float]:
    units: dict[int, float] = {}
    for use in uses:
        number = _slice(use.at)
        units[number] = units.get(number, 0.0) + use.units
    return units


def _slice(at: float) -> int:
    return round(at / SLICE_SECONDS)


def _within(units: dict[int, float], begin: int, seconds: float) -> float:
    return sum(units.get(number, 0.0) for number in range(begin, begin + _slice(seconds)))
