"""What was not sent, told once a cause: a dead endpoint is one line, not one a partition."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Cause:
    """One cause, and the changes that were not sent because of it."""

    cause: str
    changes: int = 0
    partitions: list[int] = field(default_factory=list)

    @property
    def place(self) -> str:
        one = len(self.partitions) == 1
        return f"partition {self.partitions[0]}" if one else f"{len(self.partitions):,} partitions"


def by_cause(entries: Iterable[Mapping[str, Any]]) -> list[Cause]:
    """Entries with `partition`, `changes` and `cause`, added up by cause; the largest first."""
    found: dict[str, Cause] = {}
    for entry in entries:
        one = found.setdefault(entry["cause"], Cause(entry["cause"]))
        one.changes += entry["changes"]
        if entry["partition"] not in one.partitions:
            one.partitions.append(entry["partition"])
    return sorted(found.values(), key=lambda one: -one.changes)
