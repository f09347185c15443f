"""Which elements a collected attribute keeps: `distinct`, `limit` and `omit_nulls`."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, reduce

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


@dataclass(frozen=True)
class KeyRows:
    """Rows of one key in one batch; `flags` has one array per attribute: which elements are kept.

    An element of a distinct attribute is not kept if an earlier row of the key has it.
    """

    batch: pa.RecordBatch
    flags: Sequence[pa.BooleanArray]

    def elements(self, attribute: int) -> pa.StringArray:
        """The elements of all rows, with those that are not kept."""
        return self.batch.column(f"element_{attribute}")

    @cached_property
    def columns(self) -> list[tuple[pa.StringArray, pa.Int64Array]]:
        """Per attribute the elements of all rows and their bytes; null and 0 if it is not kept."""
        null, nothing = pa.scalar(None, pa.string()), pa.scalar(0, pa.int64())
        return [
            (
                pc.if_else(flags, self.elements(i), null),
                pc.if_else(flags, self.batch.column(f"size_{i}").cast(pa.int64()), nothing),
            )
            for i, flags in enumerate(self.flags)
        ]

    @cached_property
    def kept(self) -> pa.RecordBatch:
        """element_0, size_0, … of the rows that have a kept element."""
        columns = {}
        for i, (elements, sizes) in enumerate(self.columns):
            columns[f"element_{i}"], columns[f"size_{i}"] = elements, sizes
        return pa.RecordBatch.from_pydict(columns).filter(reduce(pc.or_, self.flags))
