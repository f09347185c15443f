from collections.abc import Iterator
from hashlib import blake2b

import pyarrow as pa
import pytest

from loader.errors import StorageFailed
from loader.items.delta import STATE
from loader.storage import state_part
from loader.storage.location import Location
from loader.storage.state_part import StatePart, read_state_part, write_state_part

RUN = "runs/2026-11-23T06-40-11-000Z-7f3a/state"


def batch(first: int, count: int) -> pa.RecordBatch:
    keys = [f'"user_id":{{"S":"{n}"}}' for n in range(first, first + count)]
    digests = [bytes([n % 256]) * 16 if n % 3 else None for n in range(first, first + count)]
    return pa.record_batch(
        [
            keys,
            pa.array(digests, pa.binary(16)),
            pa.array([100] * count, pa.int32()),
            pa.array([n if n % 5 else None for n in range(first, first + count)], pa.int64()),
        ],
        schema=STATE,
    )


def write(folder: Location, batches: list[pa.RecordBatch], keys: int | None = None) -> StatePart:
    rows, checksum = write_state_part(folder / RUN, "00003.arrow", batches)
    return StatePart(3, f"{RUN}/00003.arrow", rows if keys is None else keys, checksum)


@pytest.fixture
def folder(storage: Location) -> Location:
    return storage / "users"


def problem(folder: Location, part: StatePart) -> str:
    with pytest.raises(StorageFailed) as failed:
        read_state_part(folder, part)
    return str(failed.value)


def expected(folder: Location, part: StatePart, cause: str) -> str:
    return (
        f"cannot use the state {folder}/{part.file}: {cause}. "
        f"Rebuild the state from the table: `loader state adopt users --storage {folder.parent}`; "
        "or delete "
        f"{folder}/current.json: then the next load puts every item and deletes none"
    )


@pytest.mark.parametrize("counts", [[], [0], [1], [3, 0, 2], [30_000, 20_000, 1]])
def test_keys_are_read_as_they_were_written(folder: Location, counts: list[int]) -> None:
    batches = [batch(sum(counts[:n]), count) for n, count in enumerate(counts)]
    part = write(folder, batches)

    assert (part.keys, read_state_part(folder, part)) == (
        sum(counts),
        pa.Table.from_batches([batch(0, sum(counts))], STATE).combine_chunks(),
    )


def test_the_keys_after_those_that_count_are_not_read(folder: Location) -> None:
    part = write(folder, [batch(0, 5), batch(5, 3)], keys=5)

    assert read_state_part(folder, part) == pa.Table.from_batches([batch(0, 5)])


def test_memory_holds_one_batch_of_a_part_that_is_written(folder: Location) -> None:
    alive: list[int] = []

    def batches() -> Iterator[pa.RecordBatch]:
        for number in range(20):
            alive.append(pa.total_allocated_bytes())
            yield batch(number * state_part.BATCH_KEYS, state_part.BATCH_KEYS)

    write_state_part(folder, "x", batches())

    assert max(alive) < min(alive) + 3 * batch(0, state_part.BATCH_KEYS).nbytes


def test_the_checksum_is_that_of_the_whole_file(folder: Location) -> None:
    part = write(folder, [batch(0, 1_000)])

    assert part.checksum == blake2b(folder.read(part.file), digest_size=16).hexdigest()


def test_a_missing_part_is_refused_by_name(folder: Location) -> None:
    part = StatePart(3, f"{RUN}/00003.arrow", 1, "")

    assert problem(folder, part) == expected(folder, part, "the file is missing")


def test_a_part_with_any_flipped_bit_is_refused_by_name(folder: Location) -> None:
    part = write(folder, [batch(0, 3)])
    content = folder.read(part.file)
    damaged = expected(folder, part, "it is damaged: its checksum is not the one in current.json")
    for place in range(0, len(content), 211 if folder.is_s3 else 7):
        flipped = bytearray(content)
        flipped[place] ^= 1 << place % 8
        (folder / RUN).write("00003.arrow", bytes(flipped))
        assert problem(folder, part) == damaged


@pytest.mark.parametrize("size", [0, 1, 100, -1])
def test_a_truncated_part_is_refused_by_name(folder: Location, size: int) -> None:
    part = write(folder, [batch(0, 3)])
    (folder / RUN).write("00003.arrow", folder.read(part.file)[:size])

    assert "it is damaged" in problem(folder, part)


def test_a_part_of_another_run_under_the_same_name_is_refused_by_name(folder: Location) -> None:
    part = write(folder, [batch(0, 3)])
    folder.remove(part.file)
    write(folder, [batch(1, 3)])

    assert "it is damaged" in problem(folder, part)


def test_a_part_with_fewer_keys_than_the_state_says_is_refused(folder: Location) -> None:
    part = write(folder, [batch(0, 3)], keys=4)

    assert problem(folder, part) == expected(folder, part, "it has 3 keys instead of 4")


def test_a_part_does_not_replace_one_of_another_attempt(folder: Location) -> None:
    write(folder, [batch(0, 3)])
    with pytest.raises(FileExistsError):
        write(folder, [batch(0, 4)])


def test_a_part_whose_writer_fails_does_not_appear(folder: Location) -> None:
    def batches() -> Iterator[pa.RecordBatch]:
        yield batch(0, 50_000)
        raise OSError("no rows")

    with pytest.raises(OSError, match="no rows"):
        write_state_part(folder, "x", batches())

    assert folder.files() == []
