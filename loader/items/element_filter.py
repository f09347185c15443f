"""Which elements a collected attribute keeps: `distinct`, `limit` and `omit_nulls`."""

import pyarrow as pa
import pyarrow.compute as pc

from loader.items.collected_attribute import CollectedAttribute


class ElementFilter:
    """Keeps the first elements of each item.

    For `distinct`, memory holds all distinct elements of the current key. An element is None only
    if NULLs are left out; otherwise a NULL has JSON.
    """

    def __init__(self, attribute: CollectedAttribute) -> None:
        self.distinct, self.limit = attribute.distinct, attribute.limit
        self.omit_nulls = attribute.omit_nulls
        self.seen: set[str | None] = set()
        self.kept = 0

    def keep(self, starts: pa.BooleanArray, elements: pa.StringArray) -> pa.BooleanArray:
        """One flag per row; `starts` is true where a key begins, also across batches."""
        if not self.distinct and self.limit is None:
            return elements.is_valid()
        flags = []
        for start, element in zip(starts.to_pylist(), elements.to_pylist(), strict=True):
            if start:
                self.seen, self.kept = set(), 0
            full = self.limit is not None and self.kept >= self.limit
            absent = self.omit_nulls and element is None
            flags.append(not full and not absent and element not in self.seen)
            if flags[-1]:
                self.kept += 1
                if self.distinct:
                    self.seen.add(element)
        return pa.array(flags, pa.bool_())


def kept_elements(
    batch: pa.RecordBatch, kept: list[pa.BooleanArray | None], start: int, rows: int
) -> pa.RecordBatch:
    """element_0, size_0, … of some rows; null and 0 for an element that is not kept.

    Rows without any kept element are left out.
    """
    columns = {}
    any_kept = pa.array([False] * rows, pa.bool_())
    for i, flags in enumerate(kept):
        elements = batch.column(f"element_{i}").slice(start, rows)
        sizes = batch.column(f"size_{i}").slice(start, rows).cast(pa.int64())
        flags = elements.is_valid() if flags is None else flags.slice(start, rows)
        columns[f"element_{i}"] = pc.if_else(flags, elements, pa.scalar(None, pa.string()))
        columns[f"size_{i}"] = pc.if_else(flags, sizes, pa.scalar(0, pa.int64()))
        any_kept = pc.or_(any_kept, flags)
    return pa.RecordBatch.from_pydict(columns).filter(any_kept)
