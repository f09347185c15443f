"""The result of a verification."""

from dataclasses import asdict, dataclass, field
from typing import Any

from loader.verify.attributes import AttributeDifference

EXAMPLES = 20  # keys of each kind that a report has


@dataclass(frozen=True)
class Example:
    """A key that is not as expected; `attributes` are those that differ, if that is known."""

    key: str
    attributes: list[AttributeDifference] = field(default_factory=list)


@dataclass(frozen=True)
class Sample:
    """What was read for `--sample`, and the largest shares that it leaves possible.

    `keys` of the expected ones were read; `scanned_items` are those of `segments` of
    `all_segments`. With 95 % confidence at most `most_wrong` of the expected keys are missing or
    different, and at most `most_extra` of the table's items are extra.
    """

    share: float
    keys: int
    segments: int
    all_segments: int
    scanned_items: int
    most_wrong: float
    most_extra: float


@dataclass(frozen=True)
class VerifyReport:
    """The table of an export against its model, or against its state.

    `expected` items are compared with `read` ones: expected = equal + missing + different +
    in_doubt, unless a sample was read. `settled` keys differed at first, and no longer when they
    were read again. `rejected` are items of the table that cannot be compared, because the plan
    rejects theirs. `in_doubt` are keys of an unfinished run. `loaded_meanwhile`: a load was
    committed between the two reads. `read_units` were consumed, `read_limit` of them per second
    were allowed; None: without a limit. `next_commands` lead to an equal table.
    """

    export: str
    table: str
    run: str
    against: str
    expected_of: str
    seconds: float
    expected: int
    read: int
    equal: int
    missing: int
    extra: int
    different: int
    in_doubt: int
    rejected: int
    settled: int
    rejected_items: int
    keyless_rows: int
    read_units: float
    read_limit: float | None
    read_limit_source: str
    throttled: int
    loaded_meanwhile: bool
    missing_examples: list[Example] = field(default_factory=list)
    extra_examples: list[Example] = field(default_factory=list)
    different_examples: list[Example] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    next_commands: list[str] = field(default_factory=list)
    sample: Sample | None = None

    @property
    def clean(self) -> bool:
        """Whether the table has what it should have, as far as it was read."""
        return not (self.missing or self.extra or self.different)

    def to_dict(self) -> dict[str, Any]:
        return {"clean": self.clean, **asdict(self)}
