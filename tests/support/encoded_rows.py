"""Encoded rows (loader/items/encoded_rows.py), made without Spark."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import pyarrow as pa


@dataclass(frozen=True)
class Row:
    """One encoded row; `elements` has (JSON, bytes) for each collected attribute."""

    partition: int | None
    key: str | None
    elements: tuple[tuple[str, int], ...] = ()
    attributes: str = ""
    base_bytes: int = 10
    problem: str | None = None
    row_hash: int | None = None


def text(value: str) -> tuple[str, int]:
    """A text as an element of a list, and its bytes."""
    return f'{{"S":{json.dumps(value, ensure_ascii=False)}}}', len(value.encode()) + 1


def key_of(value: str) -> str:
    """The JSON of the key of this user."""
    return f'"user_id":{{"S":{json.dumps(value, ensure_ascii=False)}}}'


def batch_of(rows: Sequence[Row], width: int | None = None) -> pa.RecordBatch:
    """The rows as a record batch with `width` collected attributes."""
    width = len(rows[0].elements) if width is None else width
    columns = {
        "partition": pa.array([row.partition for row in rows], pa.int32()),
        "key": pa.array([row.key for row in rows], pa.string()),
        "problem": pa.array([row.problem for row in rows], pa.string()),
        "attributes": pa.array([row.attributes for row in rows], pa.string()),
        "base_bytes": pa.array([row.base_bytes for row in rows], pa.int32()),
    }
    if any(row.row_hash is not None for row in rows):
        columns["row_hash"] = pa.array([row.row_hash for row in rows], pa.int64())
    for i in range(width):
        columns[f"element_{i}"] = pa.array([row.elements[i][0] for row in rows], pa.string())
        columns[f"size_{i}"] = pa.array([row.elements[i][1] for row in rows], pa.int32())
    return pa.RecordBatch.from_pydict(columns)


def batches_of(rows: Sequence[Row], cuts: Sequence[int], width: int) -> list[pa.RecordBatch]:
    """The rows cut at these places; cuts at the same place make empty batches."""
    edges = [0, *sorted(cuts), len(rows)]
    return [batch_of(rows[a:b], width) for a, b in pairwise(edges)]
