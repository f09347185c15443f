"""What the table may hold before a run: the committed state and the changes of unfinished runs."""

from collections.abc import Iterable
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from loader.items.delta import STATE, in_doubt, without
from loader.storage.changeset import CHANGES, PUT, Extent, read_extent
from loader.storage.location import Location
from loader.storage.state_part import StatePart, read_state_part

COLUMNS = ("op", "key", "digest", "size")


@dataclass(frozen=True)
class Overlay:
    """Changes of one unfinished run: (extent, whether all its changes are written as planned)."""

    run: Location
    extents: tuple[tuple[Extent, bool], ...]

    def rows(self) -> tuple[pa.Table, pa.Table]:
        """The keys that it changes, and the state of those that may be in the table.

        A change in doubt leaves a key without digest and size. No row has a `rows_hash`: the run
        may have hashed rows in another way.
        """
        touched: list[pa.RecordBatch] = []
        present: list[pa.RecordBatch] = []
        for extent, written in self.extents:
            for batch in read_extent(self.run / CHANGES, extent, COLUMNS):
                if not written:
                    rows = in_doubt(batch.column("key"))
                    touched.append(rows)
                    present.append(rows)
                    continue
                known = [batch.column(name) for name in ("key", "digest", "size")]
                rows_hash = pa.nulls(batch.num_rows, pa.int64())
                rows = pa.RecordBatch.from_arrays([*known, rows_hash], schema=STATE)
                touched.append(rows)
                present.append(rows.filter(pc.equal(batch.column("op"), PUT)))
        return pa.Table.from_batches(touched, STATE), pa.Table.from_batches(present, STATE)


@dataclass(frozen=True)
class PriorPart:
    """The state of one partition, picklable; `folder` is the export's.

    Digests that are not `comparable` are of another encoding: they count as unknown. So do the
    hashes of rows that are not `rows_comparable`.
    """

    folder: Location
    parts: tuple[StatePart, ...] = ()
    overlays: tuple[Overlay, ...] = ()
    comparable: bool = True
    rows_comparable: bool = False

    def read(self) -> pa.Table:
        """One row (STATE) per key that may be in the table; null digests for keys in doubt."""
        table = _concat(read_state_part(self.folder, part) for part in self.parts)
        if not self.rows_comparable:
            table = without(table, "rows_hash")
        for overlay in self.overlays:
            touched, present = overlay.rows()
            rest = table.filter(pc.invert(pc.is_in(table.column("key"), touched.column("key"))))
            table = pa.concat_tables([rest, present])
        return table if self.comparable else without(table, "digest")


def _concat(tables: Iterable[pa.Table]) -> pa.Table:
    return pa.concat_tables([STATE.empty_table(), *tables])
