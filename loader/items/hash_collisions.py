"""Rows may be sorted by a hash of their key, not by the key: check that each key has its own hash.

A single number as sort column lets Spark use its radix sort, which takes a third of the CPU of
a sort by the keys too (docs/decisions/0007). But the rows of two keys with one hash may be mixed.
In that case the read is repeated with a sort by the keys too. With 10 million keys that happens
once in 170,000 loads.
"""

from collections.abc import Iterable, Iterator

import pyarrow as pa
import pyarrow.compute as pc

HASH = "hash"


class HashCollision(Exception):
    """Two keys of one partition have the same hash."""


def check_collisions(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """The same batches without the column `hash`, if they have it.

    Raises HashCollision if the key changes and the hash does not. NULL is a key too.
    """
    last: pa.RecordBatch | None = None
    for batch in batches:
        if HASH not in batch.schema.names:
            yield batch
            continue
        if batch.num_rows:
            hashed = batch.select(["key", HASH])
            # The last row of the batch before: a key may change between two batches.
            rows = hashed if last is None else pa.concat_batches([last, hashed])
            if _changes_within_a_hash(rows):
                raise HashCollision
            last = hashed.slice(batch.num_rows - 1)
        yield batch.drop_columns([HASH])


def _changes_within_a_hash(rows: pa.RecordBatch) -> bool:
    keys, hashes = pc.fill_null(rows.column("key"), ""), rows.column(HASH)
    before, after = slice(0, rows.num_rows - 1), slice(1, rows.num_rows)
    same_hash = pc.equal(hashes[before], hashes[after])
    other_key = pc.not_equal(keys[before], keys[after])
    return bool(pc.any(pc.and_(same_hash, other_key)).as_py())
