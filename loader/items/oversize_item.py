"""A key that may need more than one item → its items, none over the limit.

If an export truncates or splits, this replaces PendingItem; oversize.py decides which rows stay.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa

from loader.items.collected_attribute import ITEMS, CollectedAttribute, number_attribute
from loader.items.element_filter import KeyRows
from loader.items.oversize import KeepFirst, KeepLast, OversizePolicy, SplitIntoItems
from loader.items.pending_item import CurrentKey

# A cut item has room for counts of up to 12 digits, which weigh 7 bytes.
LARGEST_COUNT = 10**12 - 1


class OversizeItem:
    """The rows of one key; takes groups (key_runs.py), of which the first is the key's."""

    def __init__(
        self,
        groups: pa.RecordBatch,
        rows: KeyRows,
        collected: Sequence[CollectedAttribute],
        limit: int,
    ):
        self.current_key = CurrentKey(groups)
        self.collected, self.limit = collected, limit
        self.split = collected[0].split
        overhead = sum(attribute.overhead for attribute in collected)
        self.empty_bytes = self.current_key.base_bytes + overhead
        self.elements = [0] * len(collected)
        self.bytes = 0
        self.policy = self._policy()
        self._take(rows)

    def _policy(self) -> OversizePolicy:
        room = self.limit - self.empty_bytes
        if self.split:
            name = self.collected[0].split_count_attribute
            count_bytes = number_attribute(name, LARGEST_COUNT)[1]
            return SplitIntoItems(room - len(self.split.encode()), count_bytes)
        cut_room = room - self._dropped_bytes()
        if self.collected[0].truncate == "first":
            return KeepFirst(room, cut_room)
        return KeepLast(room, cut_room, [a.distinct for a in self.collected])

    def _dropped_bytes(self) -> int:
        """Bytes of the attributes that count dropped elements, with the largest counts."""
        return sum(number_attribute(a.dropped, LARGEST_COUNT)[1] for a in self.collected)

    def add(self, groups: pa.RecordBatch, rows: KeyRows) -> None:
        """Add the first group and its rows."""
        self.current_key.add(groups)
        self._take(rows)

    def _take(self, rows: KeyRows) -> None:
        for i, (elements, _) in enumerate(rows.columns):
            self.elements[i] += len(elements) - elements.null_count
        self.bytes += self.policy.add(rows)

    def items(self) -> Iterator[pa.RecordBatch]:
        """Batches of one item; the first has all rows of the key, the others none."""
        number = self.policy.full_items if self.policy.too_large else 0
        largest = self.empty_bytes + self._number(number)[1] + self.policy.too_large
        if not self.split and self.empty_bytes + self.bytes > self.limit:
            largest += self._dropped_bytes()
        empty = (
            attribute.empty_problem
            for attribute, elements in zip(self.collected, self.elements, strict=True)
            if attribute.is_set and not elements
        )
        problem = self.current_key.problem or next(empty, None)
        if problem is None and largest > self.limit:
            problem = f"item must be at most {self.limit} bytes, got {largest}"
        if problem is not None:
            number_json, number_bytes = self._number(0)
            key = self.current_key.key + number_json
            size = max(largest, self.empty_bytes + number_bytes + self.bytes)
            text = key + self.current_key.attributes
            yield self._item(key=key, item=text, size=size, problem=problem)
            return
        for number, rows in enumerate(self.policy.item_rows()):
            yield self._numbered_item(number, rows)

    def _number(self, number: int) -> tuple[str, int]:
        """JSON and bytes of the sort key of a split item."""
        return number_attribute(self.split, number) if self.split else ("", 0)

    def _numbered_item(self, number: int, rows: pa.RecordBatch) -> pa.RecordBatch:
        number_json, size = self._number(number)
        key = text = self.current_key.key + number_json
        size, counts, dropped = size + self.current_key.base_bytes, "", 0
        if self.policy.full_items and not number:
            name = self.collected[0].split_count_attribute
            counts, bytes_ = number_attribute(name, self.policy.full_items + 1)
            size += bytes_
        for i, attribute in enumerate(self.collected):
            elements = rows.column(f"element_{i}").drop_null().to_pylist()
            if attribute.is_set:
                elements.sort()
            # DynamoDB has no empty set.
            if elements or not attribute.is_set:
                text += f"{attribute.opening}{','.join(elements)}]}}"
                size += attribute.overhead + sum(rows.column(f"size_{i}").to_pylist())
            missing = self.elements[i] - len(elements)
            if attribute.truncate and missing:
                count, bytes_ = number_attribute(attribute.dropped, missing)
                counts, size, dropped = counts + count, size + bytes_, dropped + missing
        text += self.current_key.attributes + counts
        rows_of_key = 0 if number else self.current_key.rows
        return self._item(key=key, item=text, size=size, rows=rows_of_key, dropped=dropped)

    def _item(self, **fields: Any) -> pa.RecordBatch:
        key = self.current_key
        item = {"partition": key.partition, "rows": key.rows, "dropped": 0, "problem": None}
        item["rows_hash"] = None  # what was left out of an item is not kept: its rows are read
        return pa.RecordBatch.from_pylist([{**item, **fields}], schema=ITEMS)
