"""Policies for a key with more elements than fit in one item: keep one end, or split.

Each policy takes the rows of one key (element_filter.kept_elements) as a stream; memory holds about
one item. A row is never divided, so that the lists of an item stay parallel. `full_items` is
the number of complete items; `too_large` the bytes of a row that fits in no item, else 0.
`item_rows` yields the rows of each item, once, after the last `add`.
"""

import tempfile
from bisect import bisect_right
from collections.abc import Iterator
from functools import reduce
from itertools import accumulate
from typing import IO

import pyarrow as pa
import pyarrow.compute as pc

from loader.items.limits import count_bytes


def row_bytes(rows: pa.RecordBatch) -> list[int]:
    """Bytes of all elements of each row."""
    sizes = (rows.column(f"size_{i}") for i in range(rows.num_columns // 2))
    return list(reduce(pc.add, sizes).to_pylist())


def _fitting(sizes: list[int], room: int) -> int:
    """How many of the first rows fit."""
    return bisect_right(list(accumulate(sizes)), room)


class KeepFirst:
    """All rows if they fit in `room`, else the first ones that fit in `cut_room`.

    `cut_room` is smaller by the bytes of the attributes that count the dropped elements.
    """

    full_items = too_large = 0

    def __init__(self, room: int, cut_room: int) -> None:
        self.room, self.cut_room = room, cut_room
        self.rows: list[pa.RecordBatch] = []
        self.bytes = 0

    def add(self, rows: pa.RecordBatch) -> int:
        """Add rows; return their bytes."""
        sizes = row_bytes(rows)
        if self.bytes <= self.room:
            self.rows.append(rows.slice(0, _fitting(sizes, self.room - self.bytes)))
        self.bytes += sum(sizes)
        return sum(sizes)

    def item_rows(self) -> Iterator[pa.RecordBatch]:
        rows = pa.concat_batches(self.rows)
        if self.bytes > self.room:
            rows = rows.slice(0, _fitting(row_bytes(rows), self.cut_room))
        yield rows


class KeepLast:
    """All rows if they fit in `room`, else the last ones that fit in `cut_room`."""

    full_items = too_large = 0

    def __init__(self, room: int, cut_room: int) -> None:
        self.room, self.cut_room = room, cut_room
        self.rows: list[tuple[pa.RecordBatch, int]] = []
        self.bytes = self.held = 0

    def add(self, rows: pa.RecordBatch) -> int:
        size = sum(row_bytes(rows))
        self.rows.append((rows, size))
        self.bytes, self.held = self.bytes + size, self.held + size
        while len(self.rows) > 1 and self.held - self.rows[0][1] >= self.room:
            self.held -= self.rows.pop(0)[1]
        return size

    def item_rows(self) -> Iterator[pa.RecordBatch]:
        rows = pa.concat_batches([rows for rows, _ in self.rows])
        if self.bytes > self.room:
            keep = _fitting(row_bytes(rows)[::-1], self.cut_room)
            rows = rows.slice(rows.num_rows - keep)
        yield rows


class SplitIntoItems:
    """All rows, in as many items as they need; item n has `room` less the bytes of the number n.

    The first of several has `split_count_bytes` less, for the attribute with their number. Full
    items wait in a temporary file, because a later row may have a problem that rejects the key.
    """

    def __init__(self, room: int, split_count_bytes: int) -> None:
        self.room, self.split_count_bytes = room, split_count_bytes
        self.rows: list[pa.RecordBatch] = []
        self.bytes = self.full_items = self.too_large = 0
        self.file: IO[bytes] | None = None

    def add(self, rows: pa.RecordBatch) -> int:
        total = sum(row_bytes(rows))
        if self.too_large:
            return total
        self.rows.append(rows)
        self.bytes += total
        while self.bytes > (room := self.room - count_bytes(self.full_items)):
            reserved = 0 if self.full_items else self.split_count_bytes
            held = pa.concat_batches(self.rows)
            sizes = row_bytes(held)
            fit = _fitting(sizes, room - reserved)
            if not fit:
                self.too_large = sizes[0] + reserved
                self.rows = []
                self._close()
                break
            self._spill(held.slice(0, fit))
            self.rows, self.bytes = [held.slice(fit)], sum(sizes[fit:])
        return total

    def item_rows(self) -> Iterator[pa.RecordBatch]:
        if self.file is not None:
            self.file.seek(0)
            for _ in range(self.full_items):
                with pa.ipc.open_stream(self.file) as reader:
                    yield reader.read_next_batch()
                    reader.read_all()
            self._close()
        yield pa.concat_batches(self.rows)

    def _spill(self, rows: pa.RecordBatch) -> None:
        if self.file is None:
            self.file = tempfile.TemporaryFile()  # noqa: SIM115 open until the key ends
        with pa.ipc.new_stream(self.file, rows.schema) as writer:
            writer.write_batch(rows)
        self.full_items += 1

    def _close(self) -> None:
        if self.file is not None:
            self.file.close()
        self.file = None


OversizePolicy = KeepFirst | KeepLast | SplitIntoItems
