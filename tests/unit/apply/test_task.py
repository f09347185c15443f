"""What an apply task reads, and what it leaves in the storage."""

from itertools import chain
from pathlib import Path

from loader.apply.task import ALONE, alone, read_changes
from loader.storage.changeset import CHANGES, Slice, cut_slices, write_part
from loader.storage.location import Location
from loader.storage.slice_outcome import APPLIED
from tests.support.changesets import changes


def slices(folder: Path, counts: list[int], count: int) -> tuple[Location, list[Slice]]:
    """Parts with so many changes, cut into slices that interleave them."""
    run = Location(str(folder))
    parts = [
        write_part(run / CHANGES, f"{n}.arrow", n, [changes(100_000 * n, size)])
        for n, size in enumerate(counts)
    ]
    return run, cut_slices(parts, count, interleave=True)


def test_a_slice_has_its_share_of_a_large_part_in_each_request(tmp_path: Path) -> None:
    run, cut = slices(tmp_path, [8_000, *[500] * 24], 4)

    for piece in cut:
        partitions = [change.partition for change in read_changes(run, piece)]
        requests = [partitions[n : n + 25] for n in range(0, len(partitions), 25)]
        assert {request.count(0) for request in requests} <= {5, 10, 15}


def test_each_change_is_read_once_and_in_the_order_of_its_part(tmp_path: Path) -> None:
    counts = [2_500, 1, 12_000, 700, 3_001]
    run, cut = slices(tmp_path, counts, 3)

    read = [*chain.from_iterable(read_changes(run, piece, sized=True) for piece in cut)]

    assert len(read) == sum(piece.changes for piece in cut) == sum(counts)
    by_part = {n: [c.key for c in read if c.partition == n] for n in range(len(counts))}
    assert by_part == {
        n: changes(100_000 * n, size)["key"].to_pylist() for n, size in enumerate(counts)
    }


def test_a_slice_of_nothing_but_large_parts_is_read(tmp_path: Path) -> None:
    run, cut = slices(tmp_path, [3_000, 2_000], 2)

    assert [piece.interleaved for piece in cut] == [2, 2]
    assert sum(len([*read_changes(run, piece)]) for piece in cut) == 5_000


def test_the_processes_of_this_apply_that_have_a_fixed_share_are_counted(tmp_path: Path) -> None:
    run = Location(str(tmp_path))
    assert alone(run, "a1") == 0
    for name in ("a1-x", "a1-x", "a1-y", "b2-z"):
        (run / APPLIED / ALONE).write(name, b"")

    assert (alone(run, "a1"), (run / APPLIED).files()) == (2, [])
