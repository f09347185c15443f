"""Changes that were not sent, grouped by cause: one line per cause, not one per partition."""

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
        count = len(self.partitions)
        return f"partition {self.partitions[0]}" if count == 1 else f"{count:,} partitions"


def by_cause(entries: Iterable[Mapping[str, Any]]) -> list[Cause]:
    """Add up entries with `partition`, `changes` and `cause` by cause, the largest first."""
    causes: dict[str, Cause] = {}
    for entry in entries:
        cause = causes.setdefault(entry["cause"], Cause(entry["cause"]))
        cause.changes += entry["changes"]
        if entry["partition"] not in cause.partitions:
            cause.partitions.append(entry["partition"])
    return sorted(causes.values(), key=lambda cause: -cause.changes)
