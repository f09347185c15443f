"""The planned changes: a compressed Arrow IPC file per partition that has some, a row per change.

The IPC *file* format allows random access by record batch, so that an apply can cut slices of
equal write units, whatever the skew of the partitions.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from heapq import merge
from itertools import chain
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from loader.items.digest import DIGEST_BYTES
from loader.items.limits import WRITE_UNIT_BYTES
from loader.storage.location import Location

CHANGES = "changes"  # folder of the parts, in the folder of a run
PUT, DELETE = 0, 1
SCHEMA = pa.schema(
    [
        pa.field("op", pa.int8(), nullable=False),  # PUT or DELETE
        pa.field("key", pa.string(), nullable=False),  # "user_id":{"S":"12347"}
        # Bytes that DynamoDB counts: of the new or the old item, whichever is larger; at least 1.
        pa.field("size", pa.int32(), nullable=False),
        pa.field("digest", pa.binary(DIGEST_BYTES)),  # of the new item (items/digest.py), or null
        pa.field("prior", pa.binary(DIGEST_BYTES)),  # of the old item; null if new or in doubt
        pa.field("in_state", pa.bool_(), nullable=False),  # whether the table may have the key
        pa.field("request", pa.string(), nullable=False),  # {"PutRequest":{"Item":{…}}}
        pa.field("rows_hash", pa.int64()),  # of the rows of a put (items/delta.py), or null
    ]
)
DELETE_REQUEST = '{"DeleteRequest"'  # how the request of a delete begins
RECORD_BATCH_CHANGES = 1_000
RECORD_BATCH_BYTES = 4 << 20
# Slices interleave the largest parts, if they have more than this part of a slice. A task that
# reads a slice holds a record batch of each of them, and one of the others.
LARGE_PART = 0.25
MOST_INTERLEAVED = 8


@dataclass
class Part:
    """One file of a changeset; `batches` has (changes, write units) per record batch.

    The deletes are in the last `delete_batches`.
    """

    partition: int
    file: str
    changes: int = 0
    size: int = 0
    write_units: int = 0
    batches: list[tuple[int, int]] = field(default_factory=list)
    delete_batches: int = 0

    def without_deletes(self) -> "Part":
        """The part without its last batches; the file stays as it is. `size` stays too."""
        batches = self.batches[: len(self.batches) - self.delete_batches]
        changes, units = (sum(batch[i] for batch in batches) for i in (0, 1))
        return Part(self.partition, self.file, changes, self.size, units, batches)


def write_units(size: pa.Array) -> int:
    """The write units of items of these sizes, each rounded up."""
    kilobytes = pc.divide(pc.add(size, WRITE_UNIT_BYTES - 1), WRITE_UNIT_BYTES)
    return int(pc.sum(kilobytes).as_py() or 0)


def write_part(
    folder: Location, name: str, partition: int, changes: Iterable[pa.RecordBatch]
) -> Part:
    """Write changes (batches of `SCHEMA`) to one file; memory holds one record batch.

    Without a change there is no file: most partitions of a night have none.
    """
    part = Part(partition, name)
    batches = _resize(changes)
    first = next(batches, None)
    if first is None:
        return part
    # A worker has one core; threads would add a third to the CPU of the compression.
    options = pa.ipc.IpcWriteOptions(compression="lz4", use_threads=False)
    with folder.create(name) as stream, pa.ipc.new_file(stream, SCHEMA, options=options) as writer:
        for batch in chain([first], batches):
            writer.write_batch(batch)
            units = write_units(batch.column("size"))
            part.changes += batch.num_rows
            part.size += pc.sum(batch.column("size")).as_py()
            part.write_units += units
            part.batches.append((batch.num_rows, units))
            part.delete_batches += batch.column("op")[0].as_py() == DELETE
    return part


def _resize(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """The same changes in batches of at most RECORD_BATCH_CHANGES and about RECORD_BATCH_BYTES.

    A batch has either puts or deletes, as those that come in.
    """
    held: list[pa.RecordBatch] = []
    rows = size = 0
    for batch in _cut(batches):
        over = rows + batch.num_rows > RECORD_BATCH_CHANGES
        over = over or size + batch.nbytes > RECORD_BATCH_BYTES
        if held and (over or held[-1].column("op")[0] != batch.column("op")[0]):
            yield pa.concat_batches(held)
            held, rows, size = [], 0, 0
        held.append(batch)
        rows, size = rows + batch.num_rows, size + batch.nbytes
    if held:
        yield pa.concat_batches(held)


def _cut(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        for start in range(0, batch.num_rows, RECORD_BATCH_CHANGES):
            yield from _halve(batch.slice(start, RECORD_BATCH_CHANGES))


def _halve(batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    """Halves, quarters, … until each is at most RECORD_BATCH_BYTES or one change."""
    if batch.nbytes <= RECORD_BATCH_BYTES or batch.num_rows == 1:
        yield batch
        return
    half = batch.num_rows // 2
    yield from _halve(batch.slice(0, half))
    yield from _halve(batch.slice(half))


@dataclass(frozen=True)
class Extent:
    """Consecutive record batches of one part: [first, last)."""

    partition: int
    file: str
    first: int
    last: int


@dataclass(frozen=True)
class Slice:
    """The changes that one task applies; all slices have about the same write units.

    The first `interleaved` extents are read at the same time as the others.
    """

    number: int
    extents: tuple[Extent, ...]
    changes: int
    write_units: int
    interleaved: int = 0


def cut_slices(parts: Sequence[Part], count: int, interleave: bool = False) -> list[Slice]:
    """At most `count` slices of about equal write units; a record batch is never cut.

    Of a table with a sort key, a large part may be of one partition key, of which DynamoDB accepts
    1,000 units per second. To `interleave` gives each slice its share of the largest parts.
    """
    total = sum(part.write_units for part in parts)
    large = _large(parts, total / count) if interleave and total else []
    others = [number for number in range(len(parts)) if number not in large]
    lanes = [*([number] for number in large), others]
    slices: list[Slice] = []
    extents: dict[int, Extent] = {}
    changes = units = done = 0

    def end() -> None:
        cut = tuple(extents[n] for n in (*large, *others) if n in extents)
        interleaved = sum(number in extents for number in large)
        slices.append(Slice(len(slices), cut, changes, units, interleaved))
        extents.clear()

    for _, number, index in merge(*(_places(parts, lane) for lane in lanes)):
        part, (batch_changes, batch_units) = parts[number], parts[number].batches[index]
        first = extents[number].first if number in extents else index
        extents[number] = Extent(part.partition, part.file, first, index + 1)
        changes, units = changes + batch_changes, units + batch_units
        if (done + units) * count >= total * (len(slices) + 1):
            end()
            done, changes, units = done + units, 0, 0
    if extents:
        end()
    return slices


def _large(parts: Sequence[Part], slice_units: float) -> list[int]:
    """The numbers of the largest parts."""
    large = [n for n, part in enumerate(parts) if part.write_units > LARGE_PART * slice_units]
    return sorted(large, key=lambda n: parts[n].write_units, reverse=True)[:MOST_INTERLEAVED]


def _places(parts: Sequence[Part], lane: Sequence[int]) -> Iterator[tuple[float, int, int]]:
    """(place of its middle, part, index) of each record batch; the lane reaches from 0 to 1."""
    lane_units, before = sum(parts[number].write_units for number in lane), 0
    for number in lane:
        for index, (_, units) in enumerate(parts[number].batches):
            yield (before + units / 2) / lane_units, number, index
            before += units


def read_extent(
    folder: Location, extent: Extent, columns: Sequence[str] = ()
) -> Iterator[pa.RecordBatch]:
    """The record batches of an extent, one at a time; only some `columns`, if they are given.

    An extent without record batches may have no file.
    """
    if extent.first == extent.last:
        return
    with folder.open(extent.file) as stream:
        included = [SCHEMA.get_field_index(name) for name in columns] or None
        options = pa.ipc.IpcReadOptions(use_threads=False, included_fields=included)
        reader: Any = pa.ipc.open_file(stream, options=options)
        for index in range(extent.first, extent.last):
            yield reader.get_batch(index)


def request_attributes(request: str) -> str:
    """The item of a put or the key of a delete, as JSON without its outer braces."""
    return request.split("{", 3)[3][:-3]
