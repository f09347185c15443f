"""The state that the committed files and the changes of unfinished runs make together."""

from pathlib import Path
from typing import Any

import pyarrow as pa

from loader.items.delta import STATE
from loader.items.digest import DIGEST_BYTES
from loader.storage.changeset import CHANGES, DELETE, PUT, SCHEMA, Extent, write_part
from loader.storage.location import Location
from loader.storage.prior import Overlay, PriorPart
from loader.storage.state_part import StatePart, write_state_part

OLD, NEW = (bytes([number]) * DIGEST_BYTES for number in (1, 2))


def change(op: int, key: str, digest: bytes | None) -> dict[str, object]:
    return {
        "op": op,
        "key": key,
        "size": 9,
        "digest": digest,
        "prior": None,
        "in_state": True,
        "request": "{}",
    }


def state_of(export: Location, *keys: str) -> StatePart:
    columns = [list(keys), [OLD] * len(keys), [5] * len(keys)]
    batch = pa.RecordBatch.from_arrays(
        [pa.array(c) for c in columns[:1]]
        + [
            pa.array(columns[1], pa.binary(DIGEST_BYTES)),
            pa.array(columns[2], pa.int32()),
            pa.array([9] * len(keys), pa.int64()),
        ],
        schema=STATE,
    )
    count, checksum = write_state_part(export / "state", "0.arrow", [batch])
    return StatePart(0, "state/0.arrow", count, checksum)


def overlay_of(run: Location, written: bool, *changes: dict[str, object]) -> Overlay:
    part = write_part(
        run / CHANGES, "0.arrow", 0, [pa.RecordBatch.from_pylist(list(changes), SCHEMA)]
    )
    return Overlay(run, ((Extent(0, part.file, 0, len(part.batches)), written),))


def row(key: str, digest: bytes | None, size: int | None, rows_hash: int | None = None) -> Any:
    return {"key": key, "digest": digest, "size": size, "rows_hash": rows_hash}


def test_a_slice_that_ended_counts_as_written_and_its_deletes_as_gone(tmp_path: Path) -> None:
    export = Location(str(tmp_path))
    part = state_of(export, "a", "b", "c")
    overlay = overlay_of(export / "1", True, change(PUT, "b", NEW), change(DELETE, "c", None))

    prior = PriorPart(export, (part,), (overlay,)).read()

    assert prior.schema == STATE
    assert prior.to_pylist() == [
        row("a", OLD, 5),
        row("b", NEW, 9),
    ]


def test_all_keys_of_a_slice_that_did_not_end_are_in_doubt(tmp_path: Path) -> None:
    export = Location(str(tmp_path))
    part = state_of(export, "a", "b", "c")
    overlay = overlay_of(export / "1", False, change(PUT, "b", NEW), change(DELETE, "c", None))

    prior = PriorPart(export, (part,), (overlay,)).read()

    assert prior.to_pylist() == [
        row("a", OLD, 5),
        row("b", None, None),
        row("c", None, None),
    ]


def test_the_changes_of_a_later_run_replace_those_of_an_earlier_one(tmp_path: Path) -> None:
    export = Location(str(tmp_path))
    first = overlay_of(export / "1", False, change(PUT, "a", OLD), change(PUT, "b", OLD))
    second = overlay_of(export / "2", True, change(PUT, "a", NEW), change(DELETE, "b", None))

    assert PriorPart(export, (), (first, second)).read().to_pylist() == [row("a", NEW, 9)]
    assert PriorPart(export, (), (second, first)).read().to_pylist() == [
        row("a", None, None),
        row("b", None, None),
    ]


def test_hashes_of_rows_count_only_if_they_are_of_todays_version(tmp_path: Path) -> None:
    export = Location(str(tmp_path))
    part = state_of(export, "a", "b")
    overlay = overlay_of(export / "1", True, change(PUT, "b", NEW))

    same = PriorPart(export, (part,), (overlay,), rows_comparable=True).read()
    other = PriorPart(export, (part,), (overlay,)).read()

    assert same.to_pylist() == [row("a", OLD, 5, rows_hash=9), row("b", NEW, 9)]
    assert other.to_pylist() == [row("a", OLD, 5), row("b", NEW, 9)]
