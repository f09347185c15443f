"""The result of a case, and the rule that it must keep. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import inf
from typing import Any

from sandbox.capacity import measure
from sandbox.capacity.log import Record, Use
from sandbox.capacity.measure import Step
from sandbox.capacity.traffic import USER_AGENT

FIELDS = ("case", "allowed", "used_share", "throttled_share", "worst_5s_share")
FOLLOW_SECONDS = 5.0


@dataclass(frozen=True)
class Rule:
    """The least share used, and the most of the rest; `follow`: seconds after a changed limit."""

    used: float = 0.0
    throttled: float = 1.0
    worst_5s: float = inf
    live_throttled: float = 1.0
    follow: float = inf

    def __str__(self) -> str:
        parts = [
            f"at least {percent(self.used)} used" if self.used else "",
            f"at most {percent(self.throttled)} throttled" if self.throttled < 1 else "",
            f"at most {percent(self.worst_5s)} in any 5 s" if self.worst_5s < inf else "",
            f"at most {percent(self.live_throttled)} of the other traffic throttled"
            if self.live_throttled < 1
            else "",
            f"followed within {self.follow:g} s" if self.follow < inf else "",
        ]
        return ", ".join(filter(None, parts))


@dataclass(frozen=True)
class Result:
    """What a case measured.

    `allowed`: units per second, on average from the first to the last write. `followed`: seconds
    until the writes followed each changed limit; None if they did not. `live_throttled`: share
    of the requests of the other traffic in this time. `problem`: why the figures do not count.
    """

    case: str
    rule: Rule
    allowed: float = 0.0
    used_share: float = 0.0
    throttled_share: float = 0.0
    worst_5s_share: float = 0.0
    followed: Sequence[float | None] = ()
    live_throttled: float = 0.0
    seconds: float = 0.0
    problem: str = ""
    reasons: dict[str, int] = field(default_factory=dict)

    @property
    def broken(self) -> list[str]:
        """What does not hold, each with the value that was measured."""
        rule = self.rule
        late = [s for s in self.followed if s is None or s > rule.follow]
        found = {
            self.problem: bool(self.problem),
            f"{percent(self.used_share)} used": self.used_share < rule.used,
            f"{percent(self.throttled_share)} throttled": self.throttled_share > rule.throttled,
            f"{percent(self.worst_5s_share)} in 5 s": self.worst_5s_share > rule.worst_5s,
            f"{percent(self.live_throttled)} of the other traffic throttled": self.live_throttled
            > rule.live_throttled,
            f"limits followed after {seconds(late)}": bool(late),
        }
        return [text for text, is_broken in found.items() if is_broken]

    @property
    def row(self) -> dict[str, Any]:
        """The result as reports/pace.json has it."""
        return {
            name: round(value, 4) if isinstance(value, float) else value
            for name, value in ((name, getattr(self, name)) for name in FIELDS)
        }


def measured(
    case: str,
    rule: Rule,
    record: Record,
    resource: str,
    *,
    steps: Sequence[Step],
    changes: Sequence[Step] = (),
    after: float = 0.0,
) -> Result:
    """The result by the proxy's record of a table ("users") or an index ("users/index/by_mail").

    `steps` are the units per second that are allowed, `changes` those that must be followed. The
    first seconds `after` the first write do not count.
    """
    uses = loader_uses(record, resource)
    if not any(use.units for use in uses):
        return Result(case, rule, problem="nothing was written")
    begin, last = _span(uses)
    counted = [use for use in uses if use.at >= begin + after] if after else uses
    first, _ = _span(counted) if any(use.units for use in counted) else (last, last)
    requests = loader_uses(record, resource.split("/", maxsplit=1)[0])
    seconds_counted = last - first
    others = [use for use in other_uses(record, resource) if begin <= use.at <= last]
    return Result(
        case,
        rule,
        measure.allowed_units(steps, first, last) / seconds_counted if seconds_counted else 0.0,
        measure.used_share(counted, steps),
        measure.throttled_share([use for use in requests if use.at >= begin + after]),
        measure.worst_share(counted, steps),
        _followed(uses, changes, last),
        measure.throttled_share(others),
        last - begin,
        reasons=dict(measure.reasons(uses)),
    )


def _span(uses: Sequence[Use]) -> tuple[float, float]:
    """The times of the first and the last write."""
    firsts = [use.first for use in uses if use.first is not None]
    return min(firsts), max(use.last for use in uses if use.last is not None)


def _followed(uses: Sequence[Use], changes: Sequence[Step], last: float) -> list[float | None]:
    return [
        measure.seconds_to_follow(uses, change, until)
        for change, until in zip(changes, [*(c.at for c in changes[1:]), last], strict=False)
    ]


def other_uses(record: Record, resource: str) -> list[Use]:
    """The use of a table by the other traffic."""
    return [use for use in measure.uses_of(record, resource) if use.who == USER_AGENT]


def loader_uses(record: Record, resource: str) -> list[Use]:
    return [use for use in measure.uses_of(record, resource) if use.who != USER_AGENT]


def percent(share: float) -> str:
    """0.05 as "5 %", and 0.974 as "97.4 %"."""
    return f"{round(share * 100, 1):g} %"


def seconds(values: Sequence[float | None]) -> str:
    return ", ".join("never" if value is None else f"{value:.1f} s" for value in values)
