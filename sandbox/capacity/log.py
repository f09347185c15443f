"""What was consumed and throttled, per 100 ms, resource and client."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

SLICE_SECONDS = 0.1


@dataclass
class Use:
    """One client's use of a resource in a slice of time that begins `at` seconds.

    `resource` is "table" or "table/index/name", `operation` "Read" or "Write", `who` the
    User-Agent. `throttled` are the requests of which something was refused, `refused` their
    refused items by reason, `first` and `last` the times of admitted ones.
    """

    at: float
    resource: str
    operation: str
    who: str
    units: float = 0.0
    requests: int = 0
    throttled: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    first: float | None = None
    last: float | None = None

    def add_units(self, units: float, at: float) -> None:
        self.units += units
        if units > 0:
            self.first = at if self.first is None else self.first
            self.last = at


@dataclass(frozen=True)
class Allowed:
    """The units per second that a resource can sustain from `at` on; None: no limit."""

    at: float
    resource: str
    operation: str
    units: float | None


class Log:
    """Collects the use of all resources; times are seconds since `start`."""

    def __init__(self, start: float) -> None:
        self.start = start
        self.malformed = 0
        self._uses: dict[tuple[int, str, str, str], Use] = {}
        self._allowed: list[Allowed] = []

    def time(self, now: float) -> float:
        """Seconds since the start."""
        return round(now - self.start, 6)

    def use(self, now: float, resource: str, operation: str, who: str) -> Use:
        """The entry to add to."""
        number = int((now - self.start) / SLICE_SECONDS)
        key = (number, resource, operation, who)
        if key not in self._uses:
            at = round(number * SLICE_SECONDS, 3)
            self._uses[key] = Use(at, resource, operation, who)
        return self._uses[key]

    def allow(self, now: float, resource: str, operation: str, units: float | None) -> None:
        self._allowed.append(Allowed(round(now - self.start, 3), resource, operation, units))

    def clear(self, now: float) -> None:
        """Forget the use; the limits stay, from the new start on."""
        latest = {(a.resource, a.operation): a.units for a in self._allowed}
        self.start, self.malformed, self._uses, self._allowed = now, 0, {}, []
        for (resource, operation), units in latest.items():
            self.allow(now, resource, operation, units)

    def document(self) -> dict[str, Any]:
        return {
            "malformed": self.malformed,
            "uses": [{**vars(use), "refused": dict(use.refused)} for use in self._uses.values()],
            "allowed": [vars(allowed) for allowed in self._allowed],
        }


@dataclass(frozen=True)
class Record:
    """A log as it was read from the proxy. `malformed`: requests that were not understood."""

    uses: tuple[Use, ...]
    allowed: tuple[Allowed, ...]
    malformed: int = 0


def read_record(document: Mapping[str, Any]) -> Record:
    uses = [Use(**{**use, "refused": Counter(use["refused"])}) for use in document["uses"]]
    allowed = [Allowed(**entry) for entry in document["allowed"]]
    return Record(
        tuple(sorted(uses, key=lambda use: use.at)), tuple(allowed), document["malformed"]
    )
