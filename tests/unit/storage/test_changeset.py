import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from loader.storage import changeset
from loader.storage.changeset import (
    DELETE,
    MOST_INTERLEAVED,
    PUT,
    RECORD_BATCH_BYTES,
    SCHEMA,
    Extent,
    Part,
    Slice,
    cut_slices,
    read_extent,
    request_attributes,
    write_part,
    write_units,
)
from loader.storage.location import Location
from tests.support.changesets import changes, keys

NEW, OLD = b"0123456789abcdef", b"fedcba9876543210"


def test_a_part_is_read_as_it_was_written(tmp_path: Path) -> None:
    folder = Location(str(tmp_path))
    rows = [
        (PUT, '"k":{"S":"é"}', 1_025, NEW, OLD, True, '{"PutRequest":{"Item":{}}}', 7),
        (DELETE, '"k":{"S":"b"}', 10, None, OLD, True, '{"DeleteRequest":{"Key":{}}}', None),
    ]
    fields = [dict(zip(SCHEMA.names, row, strict=True)) for row in rows]
    batch = pa.RecordBatch.from_pylist(fields, schema=SCHEMA)

    part = write_part(folder, "00007-0.arrow", 7, [batch.slice(0, 1), batch.slice(1, 1)])

    assert part == Part(7, "00007-0.arrow", 2, 1_035, 3, [(1, 2), (1, 1)], delete_batches=1)
    read = list(read_extent(folder, Extent(7, "00007-0.arrow", 0, 2)))
    assert [batch.schema for batch in read] == [SCHEMA] * 2
    assert [change for batch in read for change in batch.to_pylist()] == fields


def test_some_columns_of_an_extent_are_read_without_the_others(tmp_path: Path) -> None:
    folder = Location(str(tmp_path))
    write_part(folder, "x", 0, [changes(4, 1)])

    (read,) = read_extent(folder, Extent(0, "x", 0, 1), ("op", "key", "digest"))

    assert read.to_pylist() == [{"op": PUT, "key": '"k":{"N":"4"}', "digest": (4).to_bytes(16)}]


def test_deletes_are_record_batches_at_the_end_that_a_part_can_be_without(tmp_path: Path) -> None:
    folder = Location(str(tmp_path))
    puts, deletes = changes(0, 700), changes(700, 1_500, size=2_000, op=DELETE)

    part = write_part(folder, "x", 5, [puts, deletes])

    batches = [(700, 700), (1_000, 2_000), (500, 1_000)]
    assert part == Part(5, "x", 2_200, 3_070_000, 3_700, batches, delete_batches=2)
    assert part.without_deletes() == Part(5, "x", 700, 3_070_000, 700, batches[:1])
    (slice_,) = cut_slices([part.without_deletes()], 1)
    read = [b for extent in slice_.extents for b in read_extent(folder, extent)]
    assert keys(read) == keys([puts])


def test_a_part_of_puts_is_the_same_without_deletes(tmp_path: Path) -> None:
    part = write_part(Location(str(tmp_path)), "x", 0, [changes(0, 1_200)])

    assert part.without_deletes() == part


def test_record_batches_have_about_a_thousand_changes(tmp_path: Path) -> None:
    folder = Location(str(tmp_path))
    incoming = [changes(0, 2_500), *(changes(n, 1) for n in range(2_500, 3_700)), changes(0, 0)]

    part = write_part(folder, "x", 0, incoming)

    assert part.batches == [(1_000, 1_000), (1_000, 1_000), (1_000, 1_000), (700, 700)]
    read = list(read_extent(folder, Extent(0, "x", 0, 4)))
    assert keys(read) == keys(incoming)


def test_record_batches_have_about_four_megabytes(tmp_path: Path) -> None:
    folder = Location(str(tmp_path))
    incoming = changes(0, 30, size=400_000, request="x" * 400_000)

    part = write_part(folder, "x", 0, [incoming])
    read = list(read_extent(folder, Extent(0, "x", 0, len(part.batches))))

    assert keys(read) == keys([incoming])
    # Halved twice: 400,000 bytes of item are 391 write units.
    assert part.batches == [(7, 7 * 391), (8, 8 * 391)] * 2
    assert [batch.nbytes <= RECORD_BATCH_BYTES for batch in read] == [True] * 4


def test_record_batches_are_within_the_limit_where_large_changes_are_adjacent(
    tmp_path: Path,
) -> None:
    folder = Location(str(tmp_path))
    large = changes(0, 20, request="x" * 400_000)
    incoming = pa.concat_batches([large, changes(20, 980)])

    part = write_part(folder, "x", 0, [incoming])
    read = list(read_extent(folder, Extent(0, "x", 0, len(part.batches))))

    assert keys(read) == keys([incoming])
    assert max(batch.nbytes for batch in read) <= RECORD_BATCH_BYTES


def test_a_change_over_the_limit_is_a_record_batch_by_itself(tmp_path: Path) -> None:
    folder = Location(str(tmp_path))
    large = changes(1, 1, request="x" * (RECORD_BATCH_BYTES + 1))

    part = write_part(folder, "x", 0, [changes(0, 1), large, changes(2, 1)])

    assert part.batches == [(1, 1)] * 3


def test_an_extent_is_a_run_of_record_batches(tmp_path: Path) -> None:
    folder = Location(str(tmp_path))
    incoming = [changes(n * 1_000, 1_000) for n in range(4)]
    write_part(folder, "x", 0, incoming)

    assert keys(list(read_extent(folder, Extent(0, "x", 1, 3)))) == keys(incoming[1:3])


@pytest.mark.parametrize("incoming", [[], [changes(0, 0)]])
def test_a_part_without_changes_has_no_file(tmp_path: Path, incoming: list[Any]) -> None:
    folder = Location(str(tmp_path))

    assert write_part(folder, "x", 2, incoming) == Part(2, "x")
    assert folder.files() == []


@settings(deadline=None, max_examples=50)
@given(st.lists(st.integers(0, 12), max_size=12), st.integers(0, 12), st.integers(1, 5))
def test_resizing_keeps_every_change_once_in_order_and_no_batch_has_puts_and_deletes(
    counts: list[int], puts: int, most: int
) -> None:
    incoming = [
        changes(100 * n, count, op=PUT if n < puts else DELETE) for n, count in enumerate(counts)
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(changeset, "RECORD_BATCH_CHANGES", most)
        resized = list(changeset._resize(incoming))

    assert keys(resized) == keys(incoming)
    assert all(1 <= batch.num_rows <= most for batch in resized)
    assert all(len(batch.column("op").unique()) == 1 for batch in resized)


@pytest.mark.parametrize(
    ("sizes", "units"),
    [([], 0), ([1], 1), ([1_024], 1), ([1_025], 2), ([1, 1], 2), ([409_600, 1_023, 2_049], 404)],
)
def test_write_units_are_rounded_up_item_by_item(sizes: list[int], units: int) -> None:
    assert write_units(pa.array(sizes, pa.int32())) == units


record_batch = st.tuples(st.integers(1, 1_000), st.integers(0, 3_000)).map(
    lambda pair: (pair[0], pair[0] + pair[1])
)


def part_of(number: int, batches: list[tuple[int, int]]) -> Part:
    changes, units = (sum(column) for column in zip(*batches, strict=True))
    return Part(number, f"{number:05d}-0.arrow", changes, units * 1_000, units, batches)


parts = st.lists(st.lists(record_batch, min_size=1, max_size=8), max_size=6).map(
    lambda all_batches: [part_of(n, batches) for n, batches in enumerate(all_batches)]
)


@given(parts, st.integers(1, 40))
def test_slices_cover_every_record_batch_exactly_once_in_order(
    parts: list[Part], count: int
) -> None:
    slices = cut_slices(parts, count)

    covered = [
        (extent.partition, extent.file, index)
        for slice_ in slices
        for extent in slice_.extents
        for index in range(extent.first, extent.last)
    ]
    assert covered == [(p.partition, p.file, i) for p in parts for i in range(len(p.batches))]
    assert [slice_.number for slice_ in slices] == list(range(len(slices)))
    assert len(slices) <= count
    assert all(e.first < e.last for slice_ in slices for e in slice_.extents)


@given(parts, st.integers(1, 40), st.booleans())
def test_slices_have_the_totals_of_their_record_batches(
    parts: list[Part], count: int, interleave: bool
) -> None:
    batches = {part.partition: part.batches for part in parts}

    for slice_ in cut_slices(parts, count, interleave):
        held = [b for e in slice_.extents for b in batches[e.partition][e.first : e.last]]
        expected = (sum(c for c, _ in held), sum(u for _, u in held))
        assert (slice_.changes, slice_.write_units) == expected


@given(parts, st.integers(1, 40), st.booleans())
def test_slices_are_balanced_within_the_largest_record_batch(
    parts: list[Part], count: int, interleave: bool
) -> None:
    slices = cut_slices(parts, count, interleave)

    if slices:
        even = sum(part.write_units for part in parts) / count
        largest = max(units for part in parts for _, units in part.batches)
        assert max(slice_.write_units for slice_ in slices) < even + largest


many_parts = st.lists(
    st.one_of(
        st.lists(record_batch, min_size=1, max_size=3),
        st.lists(record_batch, min_size=20, max_size=40),
    ),
    max_size=12,
).map(lambda all_batches: [part_of(n, batches) for n, batches in enumerate(all_batches)])


@given(many_parts, st.integers(1, 40))
def test_slices_that_interleave_parts_cover_every_record_batch_once(
    parts: list[Part], count: int
) -> None:
    slices = cut_slices(parts, count, interleave=True)

    covered: dict[int, list[int]] = {part.partition: [] for part in parts}
    for slice_ in slices:
        for extent in slice_.extents:
            assert extent.file == parts[extent.partition].file
            covered[extent.partition] += range(extent.first, extent.last)
    assert covered == {part.partition: [*range(len(part.batches))] for part in parts}
    assert [slice_.number for slice_ in slices] == [*range(len(slices))]
    assert len(slices) <= count
    assert all(s.interleaved <= min(MOST_INTERLEAVED, len(s.extents)) for s in slices)
    assert all(len({e.partition for e in s.extents}) == len(s.extents) for s in slices)


@given(many_parts, st.integers(1, 40))
def test_each_slice_has_its_share_of_the_parts_that_it_interleaves(
    parts: list[Part], count: int
) -> None:
    total = sum(part.write_units for part in parts)
    largest = max((units for part in parts for _, units in part.batches), default=0)

    for slice_ in cut_slices(parts, count, interleave=True):
        for extent in slice_.extents[: slice_.interleaved]:
            part = parts[extent.partition]
            held = sum(units for _, units in part.batches[extent.first : extent.last])
            share = slice_.write_units * part.write_units / total
            # Each part is at most a record batch ahead of, or behind, the others.
            assert abs(held - share) <= 2 * (len(slice_.extents) + 1) * largest


def test_a_part_of_one_hot_key_is_in_all_slices_beside_the_small_parts() -> None:
    hot = part_of(0, [(1_000, 1_000)] * 8)
    small = [part_of(number, [(500, 500)]) for number in range(1, 25)]

    slices = cut_slices([hot, *small], 4, interleave=True)

    held = [[(e.partition, e.first, e.last) for e in slice_.extents] for slice_ in slices]
    assert held == [
        [(0, 2 * n, 2 * n + 2), *((number, 0, 1) for number in range(6 * n + 1, 6 * n + 7))]
        for n in range(4)
    ]
    assert [slice_.interleaved for slice_ in slices] == [1] * 4
    assert [slice_.write_units for slice_ in slices] == [5_000] * 4


def test_a_slice_may_hold_several_parts() -> None:
    parts = [part_of(0, [(10, 10), (10, 10), (10, 10)]), part_of(4, [(10, 20)])]

    assert cut_slices(parts, 2) == [
        Slice(0, (Extent(0, "00000-0.arrow", 0, 3),), 30, 30),
        Slice(1, (Extent(4, "00004-0.arrow", 0, 1),), 10, 20),
    ]
    assert cut_slices(parts, 1) == [
        Slice(0, (Extent(0, "00000-0.arrow", 0, 3), Extent(4, "00004-0.arrow", 0, 1)), 40, 50)
    ]


def test_a_slice_ends_as_soon_as_it_has_its_share() -> None:
    halves = cut_slices([part_of(0, [(10, 10)] * 4)], 2)

    assert [slice_.write_units for slice_ in halves] == [20, 20]


def test_nothing_to_write_makes_no_slices() -> None:
    assert cut_slices([], 4) == cut_slices([], 0, interleave=True) == []
    assert cut_slices([Part(0, "x")], 4) == []


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        (
            '{"PutRequest":{"Item":{"k":{"S":"{}}"},"v":{"S":"x"}}}}',
            '"k":{"S":"{}}"},"v":{"S":"x"}',
        ),
        ('{"DeleteRequest":{"Key":{"k":{"N":"1"}}}}', '"k":{"N":"1"}'),
    ],
)
def test_the_attributes_of_a_request_are_its_item_or_key(request_: str, expected: str) -> None:
    assert request_attributes(request_) == expected


def test_a_slice_is_the_same_after_a_round_trip_through_json() -> None:
    slice_ = Slice(3, (Extent(1, "a", 0, 2), Extent(2, "b", 1, 5)), 70, 90, 1)

    assert TypeAdapter(Slice).validate_json(json.dumps(asdict(slice_))) == slice_
