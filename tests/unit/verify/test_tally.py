from typing import Any

import pyarrow as pa
import pytest

from loader.verify.comparison import Comparison, Difference, merged
from loader.verify.tally import DIFFERENT, DOUBT_PRESENT, EXTRA, MISSING, TALLY, Tally

FIELDS = pa.schema([field for field in TALLY if field.name != "count"])


def batch(*rows: tuple[str, str, int]) -> pa.RecordBatch:
    """Rows of kind, key and chance."""
    documents = [{"kind": kind, "key": key, "chance": chance} for kind, key, chance in rows]
    return pa.RecordBatch.from_pylist(documents, schema=FIELDS)


def tallied(most: int, *batches: pa.RecordBatch) -> list[dict[str, Any]]:
    return [row for found in Tally(most)(batches) for row in found.to_pylist()]


def test_all_keys_are_counted_and_those_of_least_chance_are_kept() -> None:
    rows = tallied(
        2,
        batch((EXTRA, "a", 3), (MISSING, "b", 9), (EXTRA, "c", 1)),
        batch((EXTRA, "d", 2), (EXTRA, "e", 4), (DOUBT_PRESENT, "f", 0)),
    )

    counts = {row["kind"]: row["count"] for row in rows if row["key"] is None}
    assert counts == {EXTRA: 4, MISSING: 1, DOUBT_PRESENT: 1}
    kept = [(row["kind"], row["key"]) for row in rows if row["key"] is not None]
    assert kept == [(EXTRA, "c"), (EXTRA, "d"), (MISSING, "b")]


def test_the_tallies_of_several_tasks_become_one() -> None:
    first = tallied(10, batch((EXTRA, "b", 2), (EXTRA, "d", 4)))
    second = tallied(10, batch((EXTRA, "a", 1), (DIFFERENT, "c", 3)))

    comparison = merged([*first, *second])

    assert comparison.counts == {EXTRA: 3, DIFFERENT: 1}
    assert [(d.kind, d.key) for d in comparison.differences] == [
        (EXTRA, "a"),
        (EXTRA, "b"),
        (EXTRA, "d"),
        (DIFFERENT, "c"),
    ]
    assert comparison.differences[0] == Difference(EXTRA, "a", None, None, None)


def test_the_equal_keys_are_those_of_both_sides_that_are_of_no_other_kind() -> None:
    comparison = Comparison({MISSING: 3, EXTRA: 2, DIFFERENT: 1, DOUBT_PRESENT: 1})

    assert comparison.equal(expected=15, actual=14) == 10
    with pytest.raises(ValueError, match="10 of the expected and 11 of the read"):
        comparison.equal(expected=15, actual=15)
