"""What becomes of a key's elements where they are more than one item holds: kept in part, or cut.

Each class takes the rows of one key (element_filter.kept_elements) as a stream and holds about one
item of them at most. A piece is the rows of one item; rows are never torn, so that the lists of an
item stay parallel.
"""

import tempfile
from bisect import bisect_right
from collections.abc import Iterator
from itertools import accumulate
from typing import IO, Protocol

import pyarrow as pa
import pyarrow.compute as pc

from loader.items.limits import count_bytes


def row_bytes(rows: pa.RecordBatch) -> list[int]:
    """Bytes of each row's elements together."""
    width = rows.num_columns // 2
    total = rows.column("size_0")
    for i in range(1, width):
        total = pc.add(total, rows.column(f"size_{i}"))
    sizes: list[int] = total.to_pylist()
    return sizes


def _fitting(sizes: list[int], room: int) -> int:
    """How many of the first rows fit."""
    return bisect_right(list(accumulate(sizes)), room)


class OversizePolicy(Protocol):
    """The rows of one key. `full` is how many pieces are complete, `too_large` the bytes of a row
    that would not fit into the next one, else 0."""

    full: int
    too_large: int

    def add(self, rows: pa.RecordBatch) -> int:
        """The bytes of the rows."""

    def pieces(self) -> Iterator[pa.RecordBatch]:
        """The items' rows, read once, after the last `add`."""


class KeepFirst:
    """The first rows that fit in `room`; all of them where they fit in `whole`.

    `room` is less than `whole` by what the stamp of a cut item weighs.
    """

    full = too_large = 0

    def __init__(self, whole: int, room: int) -> None:
        self.whole, self.room = whole, room
        self.rows: list[pa.RecordBatch] = []
        self.bytes = 0

    def add(self, rows: pa.RecordBatch) -> int:
        sizes = row_bytes(rows)
        if self.bytes <= self.whole:
            self.rows.append(rows.slice(0, _fitting(sizes, self.whole - self.bytes)))
        self.bytes += sum(sizes)
        return sum(sizes)

    def pieces(self) -> Iterator[pa.RecordBatch]:
        rows = pa.concat_batches(self.rows)
        if self.bytes > self.whole:
            rows = rows.slice(0, _fitting(row_bytes(rows), self.room))
        yield rows


class KeepLast:
    """The last rows that fit in `room`; all of them where they fit in `whole`."""

    full = too_large = 0

    def __init__(self, whole: int, room: int) -> None:
        self.whole, self.room = whole, room
        self.rows: list[tuple[pa.RecordBatch, int]] = []
        self.bytes = self.held = 0

    def add(self, rows: pa.RecordBatch) -> int:
        size = sum(row_bytes(rows))
        self.rows.append((rows, size))
        self.bytes, self.held = self.bytes + size, self.held + size
        while len(self.rows) > 1 and self.held - self.rows[0][1] >= self.whole:
            self.held -= self.rows.pop(0)[1]
        return size

    def pieces(self) -> Iterator[pa.RecordBatch]:
        rows = pa.concat_batches([rows for rows, _ in self.rows])
        if self.bytes > self.whole:
            keep = _fitting(row_bytes(rows)[::-1], self.room)
            rows = rows.slice(rows.num_rows - keep)
        yield rows


class SplitIntoItems:
    """All rows, cut into as many pieces as they need; piece n has `whole` less n's own bytes.

    Where there are several, the first has `stamp` bytes less, for their number. Full pieces wait in
    a temporary file, because a row that comes later may spoil the whole key.
    """

    def __init__(self, whole: int, stamp: int) -> None:
        self.whole, self.stamp = whole, stamp
        self.rows: list[pa.RecordBatch] = []
        self.bytes = self.full = self.too_large = 0
        self.file: IO[bytes] | None = None

    def add(self, rows: pa.RecordBatch) -> int:
        total = sum(row_bytes(rows))
        if self.too_large:
            return total
        self.rows.append(rows)
        self.bytes += total
        while self.bytes > (room := self.whole - count_bytes(self.full)):
            stamp = 0 if self.full else self.stamp
            held = pa.concat_batches(self.rows)
            sizes = row_bytes(held)
            fit = _fitting(sizes, room - stamp)
            if not fit:
                self.too_large = sizes[0] + stamp
                self.rows = []
                self._close()
                break
            self._spill(held.slice(0, fit))
            self.rows, self.bytes = [held.slice(fit)], sum(sizes[fit:])
        return total

    def pieces(self) -> Iterator[pa.RecordBatch]:
        if self.file is not None:
            self.file.seek(0)
            for _ in range(self.full):
                with pa.ipc.open_stream(self.file) as reader:
                    yield reader.read_next_batch()
                    reader.read_all()
            self._close()
        yield pa.concat_batches(self.rows)

    def _spill(self, piece: pa.RecordBatch) -> None:
        if self.file is None:
            self.file = tempfile.TemporaryFile()  # noqa: SIM115 open until the key ends
        with pa.ipc.new_stream(self.file, piece.schema) as writer:
            writer.write_batch(piece)
        self.full += 1

    def _close(self) -> None:
        if self.file is not None:
            self.file.close()
        self.file = None
