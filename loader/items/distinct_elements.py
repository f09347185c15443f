"""The distinct elements of one key, numbered, so that a row that repeats one holds 4 bytes."""

from collections.abc import Iterator

import pyarrow as pa


class DistinctElements:
    """The elements of one distinct attribute; an element's code is its index in `sizes`."""

    def __init__(self) -> None:
        self.code_of: dict[str, int] = {}
        self.sizes: list[int] = []
        self.last: list[int] = []

    def learn(self, elements: pa.StringArray, sizes: pa.Int64Array) -> int:
        """Number the elements of first rows (`KeyRows.columns`); return their bytes."""
        known = len(self.sizes)
        for element, size in zip(elements.to_pylist(), sizes.to_pylist(), strict=True):
            if element is not None:
                self.code_of[element] = len(self.sizes)
                self.sizes.append(size)
        return sum(self.sizes[known:])

    def codes(self, elements: pa.StringArray) -> pa.Int32Array:
        """The codes of all rows; null for an element that `limit` or `nulls` leaves out."""
        encoded = elements.dictionary_encode()
        codes = [self.code_of.get(element) for element in encoded.dictionary.to_pylist()]
        return pa.array(codes, pa.int32()).take(encoded.indices)

    def move(self, codes: pa.Int32Array, batch: int) -> Iterator[tuple[int, int]]:
        """Note that the last row of these codes is in `batch`.

        Yields for each the batch where it was before, -1 if it is new, and its bytes.
        """
        self.last += [-1] * (len(self.sizes) - len(self.last))
        for code in codes.unique().drop_null().to_pylist():
            yield self.last[code], self.sizes[code]
            self.last[code] = batch

    def first(self, codes: pa.Int32Array) -> tuple[pa.StringArray, pa.Int64Array]:
        """The elements of these rows and their bytes; null and 0 for a repeated one."""
        texts, seen = list(self.code_of), set[int | None]([None])
        elements: list[str | None] = []
        sizes: list[int] = []
        for code in codes.to_pylist():
            first = code not in seen
            seen.add(code)
            elements.append(texts[code] if first else None)
            sizes.append(self.sizes[code] if first else 0)
        return pa.array(elements, pa.string()), pa.array(sizes, pa.int64())
