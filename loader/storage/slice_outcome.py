"""The outcome of a slice: returned by its task, and kept in a file of the run's folder."""

from collections.abc import Mapping
from dataclasses import dataclass, field

APPLIED = "applied"  # folder of the outcomes of slices, in the folder of a run


@dataclass
class NotSent:
    """Changes of one partition that DynamoDB did not acknowledge, and why."""

    partition: int
    changes: int
    cause: str


@dataclass
class SliceOutcome:
    """The totals of a slice: its changes = acknowledged + rejected + not sent.

    `deleted` are the acknowledged deletes.

    `rejects` has (key, cause) of the first 100 that were `rejected`; the file `reject_shard` lists
    all of them, and every change that was not sent.

    `by_second` has one entry per second since 1970 by the executor's clock: changes acknowledged,
    write units consumed, requests throttled. Comparisons ignore it.

    `throttles` counts the reasons that DynamoDB gave for throttled requests, by the table or index
    and the reason: `by_item IndexWriteProvisionedThroughputExceeded`. `pace_fallback` says why the
    task could not share the allowed capacity with the others. `units_by_second` has the units of
    `by_second` by the table ("") and each global index, if the run has a limit.
    """

    number: int
    acknowledged: int = 0
    requests: int = 0
    retries: int = 0
    throttled: int = 0
    consumed: float = 0.0
    rejected: int = 0
    rejects: list[tuple[str, str]] = field(default_factory=list)
    not_sent: list[NotSent] = field(default_factory=list)
    reject_shard: str | None = None
    by_second: dict[int, tuple[int, float, int]] = field(default_factory=dict, compare=False)
    deleted: int = 0
    throttles: dict[str, int] = field(default_factory=dict)
    pace_fallback: str | None = None
    units_by_second: dict[int, dict[str, float]] = field(default_factory=dict, compare=False)

    def add_units(self, second: int, units: Mapping[str, float]) -> None:
        """Add what the table and its global indexes consumed in a second since 1970."""
        if units:
            known = self.units_by_second.setdefault(second, {})
            for name, consumed in units.items():
                known[name] = known.get(name, 0.0) + consumed

    @property
    def is_complete(self) -> bool:
        """Whether DynamoDB has answered for each change; the others are in doubt."""
        return not self.not_sent


def outcome_file(number: int) -> str:
    return f"{number:05d}.json"
