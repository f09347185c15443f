"""Record batches of a changeset."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from loader.storage.changeset import PUT, SCHEMA


def changes(
    first: int, count: int, size: int = 100, request: str = "{}", op: int = PUT
) -> pa.RecordBatch:
    """Puts of new keys, or deletes, if `op` is DELETE."""
    numbers = range(first, first + count)
    columns: list[list[Any]] = [
        [op] * count,
        [f'"k":{{"N":"{n}"}}' for n in numbers],
        [size] * count,
        [n.to_bytes(16, "big") if op == PUT else None for n in numbers],
        [None if op == PUT else n.to_bytes(16, "big") for n in numbers],
        [op != PUT] * count,
        [request] * count,
        [None] * count,
    ]
    arrays = [pa.array(c, f.type) for c, f in zip(columns, SCHEMA, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, schema=SCHEMA)


def keys(batches: Sequence[pa.RecordBatch]) -> list[str]:
    return [key for batch in batches for key in batch.column("key").to_pylist()]
