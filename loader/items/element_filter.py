"""Which rows' elements stay in a collected attribute: `distinct`, `limit`, and no NULLs."""

import pyarrow as pa
import pyarrow.compute as pc

from loader.items.item import CollectedAttribute


class ElementFilter:
    """Says which elements stay: the first ones of each item.

    For `distinct` it holds the different elements of the open item, however many they are. Where
    NULLs are left out, an element of None is one; elsewhere it has a JSON of its own.
    """

    def __init__(self, collected: CollectedAttribute) -> None:
        self.distinct, self.limit = collected.distinct, collected.limit
        self.omit_nulls = collected.omit_nulls
        self.seen: set[str | None] = set()
        self.kept = 0

    def keep(self, starts: pa.BooleanArray, elements: pa.StringArray) -> pa.BooleanArray:
        """One flag a row; remembers the item that is open at the batch's end."""
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


def element_filter(collected: CollectedAttribute) -> ElementFilter | None:
    """None where every element stays."""
    needed = collected.distinct or collected.limit or collected.omit_nulls
    return ElementFilter(collected) if needed else None


def kept_elements(
    batch: pa.RecordBatch, kept: list[pa.BooleanArray | None], start: int, rows: int
) -> pa.RecordBatch:
    """Elements and sizes (e0, s0, …) of some rows, null and 0 for an element that does not stay.

    A row of which nothing stays is not among them.
    """
    columns = {}
    stays = pa.array([False] * rows, pa.bool_())
    for i, flags in enumerate(kept):
        elements = batch.column(f"element_{i}").slice(start, rows)
        sizes = batch.column(f"size_{i}").slice(start, rows).cast(pa.int64())
        flags = elements.is_valid() if flags is None else flags.slice(start, rows)
        columns[f"element_{i}"] = pc.if_else(flags, elements, pa.scalar(None, pa.string()))
        columns[f"size_{i}"] = pc.if_else(flags, sizes, pa.scalar(0, pa.int64()))
        stays = pc.or_(stays, flags)
    return pa.RecordBatch.from_pydict(columns).filter(stays)
