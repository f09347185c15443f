"""Items × state → what changes: the comparison of one partition's items with what the table holds.

Memory holds the state of the partition as Arrow arrays, and one batch.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeVar

import pyarrow as pa
import pyarrow.compute as pc

from loader.items.digest import DIGEST_BYTES

# What the table holds, one row per key. `digest` and `size` are null if the key is in doubt: then
# the table may have any item with this key, or none. `rows_hash` is the sum of the hashes of the
# rows that the item was made of, modulo 2^63; null if it is not known (warehouse/row_hash.py).
STATE = pa.schema(
    [
        pa.field("key", pa.string(), nullable=False),  # "user_id":{"S":"12347"}
        pa.field("digest", pa.binary(DIGEST_BYTES)),  # items/digest.py
        pa.field("size", pa.int32()),  # bytes of the item as DynamoDB counts them
        pa.field("rows_hash", pa.int64()),
    ]
)

Rows = TypeVar("Rows", pa.Table, pa.RecordBatch)


def in_doubt(keys: pa.StringArray) -> pa.RecordBatch:
    """The state (STATE) of keys of which only the keys are known."""
    nulls = [pa.nulls(len(keys), field.type) for field in STATE][1:]
    return pa.RecordBatch.from_arrays([keys, *nulls], schema=STATE)


def without(rows: Rows, name: str) -> Rows:
    """The rows (STATE) with nulls in one column."""
    unknown = pa.nulls(rows.num_rows, STATE.field(name).type)
    return rows.set_column(STATE.get_field_index(name), STATE.field(name), unknown)


@dataclass(frozen=True)
class Comparison:
    """The state of each item's key, in the order of the items.

    `in_state` is whether the table may have the key. `digest` and `size` are those of the state,
    null for a new key and for one in doubt.
    """

    in_state: pa.BooleanArray
    digest: pa.Array
    size: pa.Int32Array

    def is_same(self, digests: pa.Array) -> pa.BooleanArray:
        """Whether the table has exactly the item of each digest."""
        return pc.fill_null(pc.equal(digests, self.digest), False)


class Delta:
    """The state of a partition, from which the keys of items are taken batch by batch."""

    def __init__(self, state: pa.Table | None = None) -> None:
        """`state` (STATE) has no key twice; None is a table without keys."""
        self._state = STATE.empty_table() if state is None else state

    def take(self, keys: pa.StringArray) -> Comparison:
        """Compare the keys of a batch, none of them twice; they are then no longer `left`.

        The batch's keys are hashed, not the state's: 20,000 keys against a state of 333,000 take
        4 ms instead of 29.
        """
        known = self._remove(pc.is_in(self._state.column("key"), value_set=keys))
        index = pc.index_in(keys, value_set=known.column("key"))
        digest, size = known.column("digest").take(index), known.column("size").take(index)
        return Comparison(pc.is_valid(index), digest, size)

    def keep(self, keys: Iterable[str], prefixes: bool = False) -> pa.RecordBatch:
        """Take the rows of keys whose items were rejected: the table keeps its old items.

        They have no `rows_hash`, so that the next run reads the rows and rejects them again.
        With `prefixes` a key stands for all keys that begin with it and a comma.
        """
        column = self._state.column("key")
        mask = pc.is_in(column, value_set=pa.array(list(keys), pa.string()))
        if prefixes:
            for key in keys:
                mask = pc.or_(mask, pc.starts_with(column, f"{key},"))
        return without(self._remove(mask), "rows_hash")

    @property
    def left(self) -> pa.Table:
        """The rows of keys that were not taken, in the order of the state."""
        return self._state

    def _remove(self, mask: pa.ChunkedArray) -> pa.RecordBatch:
        """Remove the rows of the mask, which are at most a batch, from the state."""
        removed = self._state.filter(mask)
        if removed.num_rows:
            self._state = self._state.filter(pc.invert(mask))
        arrays = [_array(column) for column in removed.columns]
        return pa.RecordBatch.from_arrays(arrays, schema=STATE)


def _array(column: pa.ChunkedArray) -> pa.Array:
    return pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], column.type)
