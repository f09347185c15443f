"""A key whose elements may be more than one item holds → its items, none over the limit.

Where an export truncates or splits, this takes the place of grouping's open item; what is held of
the rows is in oversize.py.
"""

from collections.abc import Iterator, Sequence

import pyarrow as pa

from loader.items.item import ITEMS, CollectedAttribute, CurrentKey, number_attribute
from loader.items.limits import ITEM_BYTES
from loader.items.oversize import KeepFirst, KeepLast, OversizePolicy, SplitIntoItems

# An item that is cut keeps room for counts of up to 12 digits, which weigh 7 bytes.
LARGEST_COUNT = 10**12 - 1


class OversizeItem:
    """The rows of one key, and what becomes of them."""

    def __init__(
        self,
        groups: pa.RecordBatch,
        rows: pa.RecordBatch,
        collected_attributes: Sequence[CollectedAttribute],
    ):
        self.current_key = CurrentKey(groups)
        self.collected_attributes = collected_attributes
        self.split = collected_attributes[0].split
        self.base = self.current_key.base_bytes + sum(
            collected.overhead for collected in collected_attributes
        )
        self.elements = [0] * len(collected_attributes)
        self.bytes = 0
        self.held = self._held()
        self._take(rows)

    def _held(self) -> OversizePolicy:
        whole = ITEM_BYTES - self.base
        if self.split:
            stamp = number_attribute(
                self.collected_attributes[0].split_count_attribute, LARGEST_COUNT
            )[1]
            return SplitIntoItems(whole - len(self.split.encode()), stamp)
        end = KeepFirst if self.collected_attributes[0].truncate == "first" else KeepLast
        return end(whole, whole - self._stamps())

    def _stamps(self) -> int:
        """Bytes of the largest counts of what is dropped."""
        return sum(
            number_attribute(collected.dropped, LARGEST_COUNT)[1]
            for collected in self.collected_attributes
        )

    def add(self, groups: pa.RecordBatch, rows: pa.RecordBatch) -> None:
        """Add the first of the groups, with its rows (element_filter.kept_elements)."""
        self.current_key.add(groups)
        self._take(rows)

    def _take(self, rows: pa.RecordBatch) -> None:
        for i in range(len(self.elements)):
            elements = rows.column(f"element_{i}")
            self.elements[i] += len(elements) - elements.null_count
        self.bytes += self.held.add(rows)

    def items(self) -> Iterator[pa.RecordBatch]:
        """Batches of one item each; the first has all rows of the key, the others none."""
        number = self.held.full if self.held.too_large else 0
        largest = self.base + self._part(number)[1] + self.held.too_large
        if not self.split and self.base + self.bytes > ITEM_BYTES:
            largest += self._stamps()  # it is cut, and needs them
        empty = (
            collected.empty
            for collected, elements in zip(self.collected_attributes, self.elements, strict=True)
            if collected.is_set and not elements
        )
        problem = self.current_key.problem or next(empty, None)
        if problem is None and largest > ITEM_BYTES:
            problem = f"item must be at most {ITEM_BYTES} bytes, got {largest}"
        if problem is not None:
            part, bytes_ = self._part(0)
            key, size = self.current_key.key + part, max(largest, self.base + bytes_ + self.bytes)
            yield self._item(key + self.current_key.attributes, size, key=key, problem=problem)
            return
        for number, rows in enumerate(self.held.pieces()):
            yield self._piece(number, rows)

    def _part(self, number: int) -> tuple[str, int]:
        return number_attribute(self.split, number) if self.split else ("", 0)

    def _piece(self, number: int, rows: pa.RecordBatch) -> pa.RecordBatch:
        part, size = self._part(number)
        key = self.current_key.key + part
        text, size, lost = key, size + self.current_key.base_bytes, 0
        stamps = ""
        if self.held.full and not number:
            stamps, bytes_ = number_attribute(
                self.collected_attributes[0].split_count_attribute, self.held.full + 1
            )
            size += bytes_
        for i, collected in enumerate(self.collected_attributes):
            elements = rows.column(f"element_{i}").drop_null().to_pylist()
            # DynamoDB has no empty set.
            if elements or not collected.is_set:
                text += f"{collected.opening}{','.join(elements)}]}}"
                size += collected.overhead + sum(rows.column(f"size_{i}").to_pylist())
            missing = self.elements[i] - len(elements)
            if collected.truncate and missing:
                stamp, bytes_ = number_attribute(collected.dropped, missing)
                stamps, size, lost = stamps + stamp, size + bytes_, lost + missing
        text += self.current_key.attributes + stamps
        return self._item(text, size, key=key, rows=0 if number else None, dropped=lost)

    def _item(
        self,
        text: str,
        size: int,
        *,
        key: str,
        rows: int | None = None,
        dropped: int = 0,
        problem: str | None = None,
    ) -> pa.RecordBatch:
        item = {
            "partition": self.current_key.partition,
            "key": key,
            "item": text,
            "size": size,
            "rows": self.current_key.rows if rows is None else rows,
            "dropped": dropped,
            "problem": problem,
        }
        return pa.RecordBatch.from_pylist([item], schema=ITEMS)
