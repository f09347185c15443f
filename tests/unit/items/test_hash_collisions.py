"""Two keys with the same hash are detected, wherever the batches are cut."""

from itertools import pairwise
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loader.items.collected_attribute import CollectedAttribute
from loader.items.hash_collisions import HashCollision, check_collisions
from loader.items.text_encoding import TextColumns
from loader.plan.task import COLLISION, PlanTask
from loader.storage.location import Location
from loader.storage.rejects import Rejects
from tests.support.encoded_rows import Row, batch_of, key_of, text

ATTRIBUTES = (CollectedAttribute("items", "L"),)


def batch(rows: list[tuple[str | None, int]]) -> pa.RecordBatch:
    """Rows of (key, hash)."""
    encoded = batch_of([Row(0, key and key_of(key), (text("a"),)) for key, _ in rows], 1)
    return encoded.append_column("hash", pa.array([hash_ for _, hash_ in rows], pa.int64()))


def cut(rows: list[tuple[str | None, int]], places: list[int]) -> list[pa.RecordBatch]:
    edges = [0, *sorted(min(place, len(rows)) for place in places), len(rows)]
    return [batch(rows[a:b]) for a, b in pairwise(edges)]


@given(
    st.lists(st.tuples(st.sampled_from(["a", "b", "c", None]), st.integers(0, 3)), max_size=12),
    st.lists(st.integers(0, 12), max_size=4),
)
def test_only_a_key_that_changes_within_a_hash_is_a_collision(
    rows: list[tuple[str | None, int]], places: list[int]
) -> None:
    rows = sorted(rows, key=lambda row: row[1])
    pairs = pairwise(rows)
    collides = any(a[1] == b[1] and a[0] != b[0] for a, b in pairs)
    batches = cut(rows, places)

    if collides:
        with pytest.raises(HashCollision):
            list(check_collisions(batches))
    else:
        assert list(check_collisions(batches)) == [
            batch.drop_columns(["hash"]) for batch in batches
        ]


def test_batches_without_a_hash_are_unchanged() -> None:
    encoded = batch_of([Row(0, key_of("1")), Row(0, key_of("2"))])

    assert list(check_collisions([encoded])) == [encoded]


def test_a_task_with_a_collision_reads_to_the_end_and_returns_no_totals(
    tmp_path: Path,
) -> None:
    place = Location(str(tmp_path))
    task = PlanTask(place, 4, ATTRIBUTES, Rejects(place, "run", "export"), TextColumns())
    batches = iter([batch([("a", 1), ("b", 1)]), batch([("c", 2)]), batch([("d", 3)])])

    (outcome,) = task(batches)

    assert outcome.column("outcome").to_pylist() == [COLLISION]
    assert list(batches) == []
    assert list(tmp_path.iterdir()) == []
