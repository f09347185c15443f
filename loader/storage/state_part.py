"""The keys of a partition that the table holds, each with the digest of its item."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

import pyarrow as pa

from loader.errors import StorageFailed
from loader.items.delta import STATE
from loader.storage.export_command import export_command
from loader.storage.location import Location

STATE_PARTS = "state"  # folder of the parts, in the folder of a run
# Larger batches compress no better.
BATCH_KEYS = 16_384
CHECKSUM_BYTES = 16


@dataclass(frozen=True)
class StatePart:
    """A file of the state. `partition` is None if its keys may be of any partition.

    `file` is relative to the folder of the export. The first `keys` rows count; the rows after them
    are keys that the run deleted.
    """

    partition: int | None
    file: str
    keys: int
    checksum: str


def remedy(folder: Location) -> str:
    """What to do about a state that cannot be used; the folder is that of the export."""
    return (
        f"Rebuild the state from the table: `{export_command(folder, 'state adopt')}`; or delete "
        f"{folder}/current.json: then the next load puts every item and deletes none"
    )


def write_state_part(
    folder: Location, name: str, batches: Iterable[pa.RecordBatch]
) -> tuple[int, str]:
    """Write batches (STATE) to one file; its rows and its checksum. Memory holds one batch."""
    keys = 0
    # A worker has one core; threads would add a third to the CPU of the compression.
    options = pa.ipc.IpcWriteOptions(compression="lz4", use_threads=False)
    with folder.create(name) as stream:
        hashing = _Hashing(stream)
        with pa.ipc.new_file(hashing, STATE, options=options) as writer:
            for batch in _joined(batches):
                writer.write_batch(batch)
                keys += batch.num_rows
    return keys, hashing.checksum()


def read_state_part(folder: Location, part: StatePart) -> pa.Table:
    """The rows that count (STATE), from the folder of the export.

    Raises StorageFailed, naming the file, if it is not exactly the one that was written.
    """
    try:
        content = folder.read(part.file)
    except FileNotFoundError:
        raise _damaged(folder, part, "the file is missing") from None
    if blake2b(content, digest_size=CHECKSUM_BYTES).hexdigest() != part.checksum:
        raise _damaged(folder, part, "it is damaged: its checksum is not the one in current.json")
    options = pa.ipc.IpcReadOptions(use_threads=False)
    reader: Any = pa.ipc.open_file(pa.BufferReader(content), options=options)
    table = reader.read_all()
    if table.schema != STATE or table.num_rows < part.keys:
        cause = f"it has {table.num_rows:,} keys instead of {part.keys:,}"
        raise _damaged(folder, part, cause)
    return table.slice(0, part.keys)


def part_size(folder: Location, part: StatePart) -> int:
    """The bytes of a part's file. Raises StorageFailed, naming the file, if it is missing."""
    try:
        return folder.size(part.file)
    except FileNotFoundError:
        raise _damaged(folder, part, "the file is missing") from None


class _Hashing:
    """A stream that computes the checksum of what goes through."""

    def __init__(self, stream: Any) -> None:
        self._stream, self._hash = stream, blake2b(digest_size=CHECKSUM_BYTES)
        self.closed = False

    def write(self, content: Any) -> int:
        self._hash.update(content)
        self._stream.write(content)
        return memoryview(content).nbytes

    def tell(self) -> int:
        return int(self._stream.tell())

    def flush(self) -> None:
        """Does nothing: the file appears when its stream is closed."""

    def close(self) -> None:
        self.closed = True

    def checksum(self) -> str:
        return self._hash.hexdigest()


def _joined(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """The same rows in batches of at least BATCH_KEYS, the last one excepted."""
    held: list[pa.RecordBatch] = []
    rows = 0
    for batch in batches:
        held.append(batch)
        rows += batch.num_rows
        if rows >= BATCH_KEYS:
            yield pa.concat_batches(held)
            held, rows = [], 0
    if rows:
        yield pa.concat_batches(held)


def _damaged(folder: Location, part: StatePart, cause: str) -> StorageFailed:
    return StorageFailed("use the state", f"{folder}/{part.file}", cause, remedy(folder))
