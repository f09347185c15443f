"""The outcome of a slice, as a task returns it and its file keeps it."""

from dataclasses import dataclass, field
from typing import Any

APPLIED = "applied"  # the folder of a run that holds the outcome of each slice

EXAMPLES = 100


@dataclass
class NotSent:
    """Changes of one partition that DynamoDB did not acknowledge, and why."""

    partition: int
    changes: int
    cause: str


@dataclass
class SliceOutcome:
    """The account of a slice: its changes = acknowledged + rejected + not sent.

    `rejects` has at most 100 (key, cause) of the `rejected`; the part `rejects_file` has them all,
    and each change that was not sent.

    `by_second` has, per second since 1970 by the executor's clock, the changes acknowledged, the
    write units consumed and the requests throttled in it. No two runs have the same, so it does
    not count when outcomes are compared.
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
    rejects_file: str | None = None
    by_second: dict[int, tuple[int, float, int]] = field(default_factory=dict, compare=False)

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> "SliceOutcome":
        """From JSON, whose objects have strings for keys and lists for tuples."""
        more = {
            "rejects": [(key, cause) for key, cause in fields["rejects"]],
            "not_sent": [NotSent(**entry) for entry in fields["not_sent"]],
            "by_second": {int(second): tuple(n) for second, n in fields["by_second"].items()},
        }
        return cls(**{**fields, **more})


def outcome_file(number: int) -> str:
    return f"{number:05d}.json"
