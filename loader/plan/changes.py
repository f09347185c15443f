"""Items → the puts of a changeset, counted as they pass."""

from collections.abc import Iterable, Iterator

import pyarrow as pa
import pyarrow.compute as pc

from loader.items.digest import DIGEST_BYTES, digest
from loader.items.limits import ITEM_BYTES
from loader.plan.partition_result import PartitionResult, Reject
from loader.storage.changeset import PUT, SCHEMA
from loader.storage.rejects import REJECT_EXAMPLES, RejectShard


def puts(
    items: Iterable[pa.RecordBatch], result: PartitionResult, shard: RejectShard
) -> Iterator[pa.RecordBatch]:
    """Changes (changeset.SCHEMA), one per item without a problem; counts all items in `result`."""
    for batch in items:
        _count(batch, result)
        if batch.column("problem").null_count < batch.num_rows:
            _reject(batch.filter(pc.is_valid(batch.column("problem"))), result, shard)
            batch = batch.filter(pc.is_null(batch.column("problem")))
        item = batch.column("item")
        digests = [digest(attributes) for attributes in item.to_pylist()]
        yield pa.RecordBatch.from_arrays(
            [
                pa.array([PUT] * batch.num_rows, pa.int8()),
                batch.column("key"),
                batch.column("size").cast(pa.int32()),
                pa.array(digests, pa.binary(DIGEST_BYTES)),
                pc.binary_join_element_wise('{"PutRequest":{"Item":{', item, "}}}", ""),
            ],
            schema=SCHEMA,
        )


def _count(batch: pa.RecordBatch, result: PartitionResult) -> None:
    """An item without rows is a split item: it continues the group before it."""
    rows, size, dropped = (batch.column(name) for name in ("rows", "size", "dropped"))
    split_items = pc.sum(pc.equal(rows, 0)).as_py()
    result.rows += pc.sum(rows).as_py()
    result.items += batch.num_rows - split_items
    result.split_items += split_items
    result.dropped_elements += pc.sum(dropped).as_py()
    result.truncated_items += pc.sum(pc.greater(dropped, 0)).as_py()
    largest = pc.max(size).as_py()
    if largest > result.largest_size:
        result.largest_size = largest
        result.largest_key = batch.column("key")[pc.index(size, largest).as_py()].as_py()


def _reject(rejected: pa.RecordBatch, result: PartitionResult, shard: RejectShard) -> None:
    result.rejected_items += rejected.num_rows
    for item in rejected.to_pylist():
        if len(result.rejects) < REJECT_EXAMPLES:
            result.rejects.append(Reject(item["problem"], item["rows"], item["key"]))
        # An item over DynamoDB's limit is not whole: grouping stops at the limit.
        attributes = item["item"] if item["size"] <= ITEM_BYTES else None
        shard.rejected(result.partition, item["key"], item["rows"], item["problem"], attributes)
