"""Policies for a key with more elements than fit in one item: keep one end, or split.

Each policy takes the rows of one key (`KeyRows`) as a stream; memory holds about one item. A row is
never divided, so that the lists of an item stay parallel. `full_items` is the number of complete
items; `too_large` the bytes of a row that fits in no item, else 0. `item_rows` yields the rows of
each item (`KeyRows.kept`), once, after the last `add`.
"""

import tempfile
from bisect import bisect_right
from collections import deque
from collections.abc import Iterator, Sequence
from functools import reduce
from itertools import accumulate
from typing import IO

import pyarrow as pa
import pyarrow.compute as pc

from loader.items.distinct_elements import DistinctElements
from loader.items.element_filter import KeyRows
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

    def add(self, rows: KeyRows) -> int:
        """Add rows; return the bytes of their kept elements."""
        sizes = row_bytes(rows.kept)
        if self.bytes <= self.room:
            self.rows.append(rows.kept.slice(0, _fitting(sizes, self.room - self.bytes)))
        self.bytes += sum(sizes)
        return sum(sizes)

    def item_rows(self) -> Iterator[pa.RecordBatch]:
        rows = pa.concat_batches(self.rows)
        if self.bytes > self.room:
            rows = rows.slice(0, _fitting(row_bytes(rows), self.cut_room))
        yield rows


class KeepLast:
    """All rows if they fit in `room`, else the last ones whose own item fits in `cut_room`.

    A row that is kept may repeat an element whose first row is not: a distinct attribute has the
    elements of the rows that are kept, not those that these rows have first.
    """

    full_items = too_large = 0

    def __init__(self, room: int, cut_room: int, distinct: Sequence[bool]) -> None:
        self.room, self.cut_room = room, cut_room
        self.distinct = {i: DistinctElements() for i, flag in enumerate(distinct) if flag}
        self.lists = [i for i, flag in enumerate(distinct) if not flag]
        # The rows of each batch, and the bytes that the item loses if it begins after them; the
        # first batches are dropped.
        self.rows: deque[pa.RecordBatch] = deque()
        self.held: deque[int] = deque()
        self.bytes = 0
        self.dropped = 0

    def add(self, rows: KeyRows) -> int:
        bytes_before = self.bytes
        columns: dict[str, pa.Array] = {}
        self.held.append(0)
        for i in self.lists:
            columns[f"element_{i}"], columns[f"size_{i}"] = rows.columns[i]
            self.held[-1] += pc.sum(columns[f"size_{i}"]).as_py()
        self.bytes += self.held[-1]
        for i, elements in self.distinct.items():
            self.bytes += elements.learn(*rows.columns[i])
            columns[f"code_{i}"] = elements.codes(rows.elements(i))
            for last, size in elements.move(columns[f"code_{i}"], self.dropped + len(self.rows)):
                if last >= self.dropped:
                    self.held[last - self.dropped] -= size
                self.held[-1] += size
        present = [values.is_valid() for name, values in columns.items() if "size" not in name]
        self.rows.append(pa.RecordBatch.from_pydict(columns).filter(reduce(pc.or_, present)))
        self._drop_batches()
        return self.bytes - bytes_before

    def _drop_batches(self) -> None:
        """Drop the first batches as long as the others are more than one item."""
        held = sum(self.held)
        while len(self.rows) > 1 and held - self.held[0] > self.room:
            held -= self.held.popleft()
            self.rows.popleft()
            self.dropped += 1

    def item_rows(self) -> Iterator[pa.RecordBatch]:
        rows = pa.concat_batches(list(self.rows))
        if self.bytes > self.room:
            rows = rows.slice(rows.num_rows - self._fitting_rows(rows))
        columns = {}
        for i in range(len(self.lists) + len(self.distinct)):
            if i in self.distinct:
                columns[f"element_{i}"], columns[f"size_{i}"] = self.distinct[i].first(
                    rows.column(f"code_{i}")
                )
            else:
                columns[f"element_{i}"] = rows.column(f"element_{i}")
                columns[f"size_{i}"] = rows.column(f"size_{i}")
        yield pa.RecordBatch.from_pydict(columns)

    def _fitting_rows(self, rows: pa.RecordBatch) -> int:
        """How many of the last rows fit; an element that they repeat counts once."""
        codes = [rows.column(f"code_{i}").to_pylist() for i in self.distinct]
        sizes = [rows.column(f"size_{i}").to_pylist() for i in self.lists]
        room, seen = self.cut_room, [set[int | None]([None]) for _ in codes]
        for count in range(rows.num_rows):
            row = rows.num_rows - 1 - count
            room -= sum(column[row] for column in sizes)
            for known, column, elements in zip(seen, codes, self.distinct.values(), strict=True):
                if column[row] not in known:
                    known.add(column[row])
                    room -= elements.sizes[column[row]]
            if room < 0:
                return count
        return int(rows.num_rows)


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

    def add(self, rows: KeyRows) -> int:
        total = sum(row_bytes(rows.kept))
        if self.too_large:
            return total
        self.rows.append(rows.kept)
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
