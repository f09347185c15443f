"""How the writes of a run were slowed: by DynamoDB, and by tasks that did not reach the driver."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Annotated

from loader.report.field_annotations import Count, doc
from loader.storage.slice_outcome import SliceOutcome

# How the reasons of throttling begin that name an index:
# https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_ThrottlingReason.html
OF_INDEX = "Index"


@dataclass
class Throttled:
    """Requests that DynamoDB throttled for one reason."""

    index: Annotated[str | None, doc("Global index that was throttled; null for the table.")]
    reason: Annotated[
        str, doc("DynamoDB's reason, such as `TableWriteKeyRangeThroughputExceeded`.")
    ]
    requests: Annotated[Count, doc("Throttled requests with this reason.")]

    @property
    def text(self) -> str:
        """`5 requests of index by_item: IndexWriteProvisionedThroughputExceeded`."""
        resource = f"index {self.index}" if self.index else "the table"
        return f"{self.requests:,} requests of {resource}: {self.reason}"


@dataclass
class FixedShare:
    """Slices whose task could not share the allowed capacity with the others."""

    slices: Annotated[Count, doc("How many slices.")]
    cause: Annotated[str, doc("Why.")]


@dataclass
class Pace:
    """Why writes were slowed, the most frequent cause first."""

    throttles: Annotated[
        list[Throttled],
        doc("Throttled requests by reason, if DynamoDB gave one; a request may have several."),
    ] = field(default_factory=list)
    fixed_shares: Annotated[
        list[FixedShare],
        doc("Slices that used a fixed share of the limit, because the driver was not reached."),
    ] = field(default_factory=list)


def pace(outcomes: Iterable[SliceOutcome]) -> Pace:
    """Add up the slices."""
    throttles: Counter[str] = Counter()
    causes: Counter[str] = Counter()
    for outcome in outcomes:
        throttles.update(outcome.throttles)
        if outcome.pace_fallback:
            causes[outcome.pace_fallback] += 1
    return Pace(
        [_throttled(name, requests) for name, requests in throttles.most_common()],
        [FixedShare(slices, cause) for cause, slices in causes.most_common()],
    )


def _throttled(name: str, requests: int) -> Throttled:
    """`name` is `<table or index> <reason>`."""
    resource, _, reason = name.partition(" ")
    return Throttled(resource if reason.startswith(OF_INDEX) else None, reason, requests)
