"""Record batches of a changeset."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from loader.storage.changeset import PUT, SCHEMA


def changes(first: int, count: int, size: int = 100, request: str = "{}") -> pa.RecordBatch:
    numbers = range(first, first + count)
    columns: list[list[Any]] = [
        [PUT] * count,
        [f'"k":{{"N":"{n}"}}' for n in numbers],
        [size] * count,
        [n.to_bytes(16, "big") for n in numbers],
        [request] * count,
    ]
    arrays = [pa.array(c, f.type) for c, f in zip(columns, SCHEMA, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, schema=SCHEMA)


def keys(batches: Sequence[pa.RecordBatch]) -> list[str]:
    return [key for batch in batches for key in batch.column("key").to_pylist()]
