"""Whether keys are in another partition than in the state.

The partition column is a function of the key, but that function may have changed since the last
run. Then one partition would delete a key that another one puts, in any order.
"""

from collections.abc import Iterable, Iterator

import pyarrow as pa
import pyarrow.compute as pc

from loader.plan.partition_result import PartitionResult
from loader.storage.changeset import CHANGES, Extent, Part, read_extent
from loader.storage.location import Location


def keys_have_moved(run: Location, results: Iterable[PartitionResult]) -> bool:
    """Whether a key is deleted from one partition and new in another; `run` is the run's folder.

    Memory holds the keys that are deleted.
    """
    results = list(results)
    deleting = [result.part for result in results if result.part and result.deletes]
    adding = [result.part for result in results if result.part and result.new]
    if not deleting or not adding:
        return False
    deleted = pa.array([], pa.string())
    for part in deleting:
        first = len(part.batches) - part.delete_batches
        keys = [batch.column("key") for batch in _batches(run, part, first, len(part.batches))]
        deleted = pa.concat_arrays([deleted, *keys])
    for part in adding:
        for batch in _batches(run, part, 0, len(part.batches) - part.delete_batches):
            new = batch.column("key").filter(pc.invert(batch.column("in_state")))
            if len(new) and pc.any(pc.is_in(new, value_set=deleted)).as_py():
                return True
    return False


def _batches(run: Location, part: Part, first: int, last: int) -> Iterator[pa.RecordBatch]:
    extent = Extent(part.partition, part.file, first, last)
    yield from read_extent(run / CHANGES, extent, ("key", "in_state"))
