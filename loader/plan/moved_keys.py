"""Whether keys are in another partition than in the state.

The partition column is a function of the key, but that function may have changed since the last
run. Then one partition would delete a key that another one puts, in any order.
"""

from collections.abc import Iterable, Iterator

import pyarrow as pa
import pyarrow.compute as pc

from loader.items.split_keys import group_key
from loader.plan.partition_result import PartitionResult
from loader.storage.changeset import CHANGES, Extent, Part, read_extent
from loader.storage.location import Location
from loader.storage.rejects import rejected_keys


def keys_have_moved(
    run: Location, results: Iterable[PartitionResult], split: str | None = None
) -> bool:
    """Whether a key is deleted from one partition, and new or rejected in another.

    `run` is the run's folder, `split` the sort key of split items. Memory holds the keys that are
    deleted, and those of rejected items.
    """
    results = list(results)
    deleting = [result.part for result in results if result.part and result.deletes]
    if not deleting:
        return False
    rejected = rejected_without_old_item(run, results)
    if not rejected and not any(result.part and result.new for result in results):
        return False
    keys = []
    for part in deleting:
        first = len(part.batches) - part.delete_batches
        keys += [batch.column("key") for batch in _batches(run, part, first, len(part.batches))]
    deleted = pa.concat_arrays(keys)
    if _includes_rejected(deleted, rejected.values(), split):
        return True
    new = (keys for keys in new_keys(run, results) if len(keys))
    return any(pc.any(pc.is_in(keys, value_set=deleted)).as_py() for keys in new)


def new_keys(run: Location, results: Iterable[PartitionResult]) -> Iterator[pa.StringArray]:
    """The keys of the puts that the state does not have, batch by batch."""
    for part in [result.part for result in results if result.part and result.new]:
        for batch in _batches(run, part, 0, len(part.batches) - part.delete_batches):
            yield batch.column("key").filter(pc.invert(batch.column("in_state")))


def rejected_without_old_item(
    run: Location, results: Iterable[PartitionResult]
) -> dict[int | None, list[str]]:
    """The keys of rejected items by partition, if the state of the partition does not have all."""
    return {
        result.partition: [*rejected_keys(run, result.reject_shard)]
        for result in results
        if result.reject_shard and result.rejected_items > result.kept
    }


def _includes_rejected(
    deleted: pa.StringArray, rejected: Iterable[list[str]], split: str | None
) -> bool:
    """Whether the table would lose the old item of a rejected one."""
    groups = {group_key(key, split) for keys in rejected for key in keys}
    return bool(groups) and not {group_key(k, split) for k in deleted.to_pylist()}.isdisjoint(
        groups
    )


def _batches(run: Location, part: Part, first: int, last: int) -> Iterator[pa.RecordBatch]:
    extent = Extent(part.partition, part.file, first, last)
    yield from read_extent(run / CHANGES, extent, ("key", "in_state"))
