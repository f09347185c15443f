"""The last key of a batch, whose rows may continue in the next batch."""

import json
from collections.abc import Iterator, Sequence

import pyarrow as pa

from loader.items.key_runs import HASH_MASK, NOT_CONSTANT, first_problem


class CurrentKey:
    """A key without its elements. Takes groups (key_runs.py), of which the first is the key's."""

    def __init__(self, groups: pa.RecordBatch) -> None:
        self.group = groups.slice(0, 1)
        self.partition = self.group.column("partition")[0].as_py()
        self.key: str = self.group.column("key")[0].as_py()
        self.row_key: str = self.group.column("row_key")[0].as_py()
        self.attributes: str = self.group.column("attributes")[0].as_py()
        self.base_bytes: int = self.group.column("base_bytes")[0].as_py()
        self.problem: str | None = None
        self.rows = 0
        self.rows_hash: int | None = 0
        self.add(groups)

    def continues_in(self, batch: pa.RecordBatch) -> bool:
        """True if the first row of the batch has this key."""
        return bool(
            batch.column("key")[0].as_py() == self.row_key
            and batch.column("partition")[0].as_py() == self.partition
        )

    def add(self, groups: pa.RecordBatch) -> None:
        self.rows += groups.column("rows")[0].as_py()
        self.rows_hash = _wrapped(self.rows_hash, groups.column("rows_hash")[0].as_py())
        problem = groups.column("problem")[0].as_py()
        if groups.column("attributes")[0].as_py() != self.attributes:
            problem = problem or NOT_CONSTANT
        self.problem = first_problem(self.problem, problem)


class PendingItem:
    """The current key with its elements; once they exceed `limit` bytes, they are only counted."""

    def __init__(self, groups: pa.RecordBatch, is_sorted: Sequence[bool], limit: int) -> None:
        self.current_key, self.is_sorted, self.limit = CurrentKey(groups), is_sorted, limit
        self.bytes = [0] * len(is_sorted)
        self.joined: list[list[str]] = [[] for _ in self.bytes]
        self._take(groups)

    def add(self, groups: pa.RecordBatch) -> None:
        self.current_key.add(groups)
        self._take(groups)

    def _take(self, groups: pa.RecordBatch) -> None:
        for i, texts in enumerate(self.joined):
            if sum(self.bytes) <= self.limit and (text := groups.column(f"joined_{i}")[0].as_py()):
                texts.append(text)
            self.bytes[i] += groups.column(f"bytes_{i}")[0].as_py()

    def as_group(self) -> pa.RecordBatch:
        """The item as one row of groups."""
        group = self.current_key.group
        columns = {
            **{name: group.column(name) for name in group.schema.names},
            "rows": pa.array([self.current_key.rows], pa.int64()),
            "rows_hash": pa.array([self.current_key.rows_hash], pa.int64()),
            "problem": pa.array([self.current_key.problem], pa.string()),
        }
        for i, texts in enumerate(self.joined):
            joined = ",".join(texts)
            if self.is_sorted[i] and len(texts) > 1:
                joined = ",".join(sorted(_elements(joined)))
            columns[f"joined_{i}"] = pa.array([joined], pa.string())
            columns[f"bytes_{i}"] = pa.array([self.bytes[i]], pa.int64())
        return pa.RecordBatch.from_pydict(columns)


def _wrapped(total: int | None, added: int | None) -> int | None:
    """The sum modulo 2^63; None if a part of it is not known."""
    return None if total is None or added is None else (total + added) & HASH_MASK


def _elements(joined: str) -> Iterator[str]:
    """The JSON of each element, as it is in the text."""
    decode, start = json.JSONDecoder().raw_decode, 0
    while start < len(joined):
        _, end = decode(joined, start)
        yield joined[start:end]
        start = end + 1
