"""Counts the keys that differ, and keeps some of each kind. Runs on executors."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

MISSING, EXTRA, DIFFERENT = "missing", "extra", "different"
# A key in doubt, which the table has, or has not; a key whose item the plan rejected.
DOUBT_PRESENT, DOUBT_ABSENT, REJECTED = "doubt_present", "doubt_absent", "rejected"
KEPT = (MISSING, EXTRA, DIFFERENT)

# What the comparison passes on: `place` is the partition of the expected item, and `chance` a hash
# of the key, by which some keys are chosen.
DIFFERENCES = "kind string, key string, expected binary, actual binary, place int, chance long"
# Spark knows no binary of a fixed size. A row without a key has the number of all keys of its kind.
TALLY = pa.schema(
    [
        pa.field("kind", pa.string()),
        pa.field("key", pa.string()),
        pa.field("expected", pa.binary()),
        pa.field("actual", pa.binary()),
        pa.field("place", pa.int32()),
        pa.field("chance", pa.int64()),
        pa.field("count", pa.int64()),
    ]
)
TALLY_TYPE = DIFFERENCES + ", count long"


@dataclass(frozen=True)
class Tally:
    """Call it with batches of DIFFERENCES; keeps `most` keys of each kind, those of least chance.

    So two comparisons of the same table keep the same keys, however Spark divides the work.
    """

    most: int

    def __call__(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        counts: dict[str, int] = {}
        kept: dict[str, pa.Table] = {}
        for batch in batches:
            for kind in pc.unique(batch.column("kind")).to_pylist():
                rows = batch.filter(pc.equal(batch.column("kind"), kind))
                counts[kind] = counts.get(kind, 0) + rows.num_rows
                if kind in KEPT:
                    tables = [*filter(None, [kept.get(kind)]), pa.Table.from_batches([rows])]
                    kept[kind] = self._least(pa.concat_tables(tables))
        for kind, count in counts.items():
            yield pa.RecordBatch.from_pylist([{"kind": kind, "count": count}], schema=TALLY)
        for table in kept.values():
            count = pa.nulls(table.num_rows, pa.int64())
            rows = table.append_column("count", count).cast(TALLY)
            yield from rows.combine_chunks().to_batches()

    def _least(self, rows: pa.Table) -> pa.Table:
        if rows.num_rows <= self.most:
            return rows
        order = [("chance", "ascending"), ("key", "ascending")]
        return rows.take(pc.sort_indices(rows, order)[: self.most])
