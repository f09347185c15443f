"""Items × state → the changes of one partition, and its state after them, counted as they pass."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc

from loader.items.delta import STATE, Comparison, Delta, in_doubt
from loader.items.digest import DIGEST_BYTES, digest
from loader.items.limits import ITEM_BYTES
from loader.items.split_keys import group_keys
from loader.plan.partition_result import KEY_EXAMPLES, PartitionResult, Reject
from loader.storage.changeset import DELETE, PUT, SCHEMA, write_units
from loader.storage.rejects import REJECT_EXAMPLES, RejectShard

# Small items are compared in as many batches as this at most; large ones are not held in memory.
MOST_COMPARISONS = 64
COMPARED_BYTES = 32 << 20


@dataclass
class Changes:
    """The changes of one partition; read `of_items` to its end, then `deletes`.

    `state` is what the table holds after them: the rows of items that are put or unchanged, and
    those of rejected items, which the table keeps; then those of the deleted keys.
    With `everything`, unchanged items are put too. `split` is the sort key of split items.
    If the state is not known yet, `delta` is None: all items count as new, and `state` has the key
    of a rejected item without a digest.
    """

    delta: Delta | None
    result: PartitionResult
    shard: RejectShard | None
    everything: bool = False
    split: str | None = None
    state: list[pa.RecordBatch] = field(default_factory=list)

    def __post_init__(self) -> None:
        if self.delta:
            self.result.state_keys = self.delta.left.num_rows

    def add_same(self, state: pa.Table, rows: pa.ChunkedArray) -> None:
        """Count keys (STATE) whose items are unchanged, because they have the same rows.

        `rows` has the number of rows of each.
        """
        result, size = self.result, state.column("size")
        result.state_keys += state.num_rows
        result.items += state.num_rows
        result.unchanged += state.num_rows
        result.same_rows += pc.sum(rows).as_py() or 0
        result.rows += pc.sum(rows).as_py() or 0
        result.full_write_units += write_units(size)
        self._enter_largest(state.column("key"), size)
        self.state += [batch for batch in state.to_batches() if batch.num_rows]

    def of_items(self, items: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Puts (changeset.SCHEMA) of new and changed items; counts all items in the result."""
        yield from map(_with_requests, self.compare_all(self._puts(items)))

    def _puts(self, items: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """The items without a problem, as puts; `request` is only their JSON."""
        for batch in items:
            self._count(batch)
            if batch.column("problem").null_count < batch.num_rows:
                self._reject(batch.filter(pc.is_valid(batch.column("problem"))))
                batch = batch.filter(pc.is_null(batch.column("problem")))
            if batch.num_rows:
                yield _as_puts(batch)

    def compare_all(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Compare batches of puts, several at once if the state is large.

        Each comparison reads all keys of the state that are left.
        """
        least = self.delta.left.num_rows // MOST_COMPARISONS if self.delta else 0
        held: list[pa.RecordBatch] = []
        rows = size = 0
        for batch in batches:
            held.append(batch)
            rows, size = rows + batch.num_rows, size + batch.nbytes
            if rows >= least or size >= COMPARED_BYTES:
                yield from self.compare(pa.concat_batches(held))
                held, rows, size = [], 0, 0
        if held:
            yield from self.compare(pa.concat_batches(held))

    def compare(self, puts: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
        """Those of the puts that change the table, with the state of their keys."""
        keys, digests, size = (puts.column(name) for name in ("key", "digest", "size"))
        columns = [puts.column(name) for name in STATE.names]
        self.state.append(pa.RecordBatch.from_arrays(columns, schema=STATE))
        self.result.full_write_units += write_units(size)
        if self.delta is None:
            self.result.new += puts.num_rows
            yield puts
            return
        state = self.delta.take(keys)
        same = state.is_same(digests)
        self._tally(keys, state, same)
        for name, column in (
            ("size", pc.max_element_wise(size, state.size)),
            ("prior", state.digest),
            ("in_state", state.in_state),
        ):
            puts = puts.set_column(SCHEMA.get_field_index(name), SCHEMA.field(name), column)
        if not self.everything:
            puts = puts.filter(pc.invert(same))
        if puts.num_rows:
            yield puts

    def deletes(self) -> Iterator[pa.RecordBatch]:
        """Deletes of the keys that no item has; none for the key of a rejected item."""
        for left in self.delta.left.to_batches() if self.delta else ():
            if not left.num_rows:
                continue
            self.state.append(left)
            count, keys, examples = left.num_rows, left.column("key"), self.result.deleted_keys
            self.result.deletes += count
            examples += keys.slice(0, max(0, KEY_EXAMPLES - len(examples))).to_pylist()
            yield pa.RecordBatch.from_arrays(
                [
                    pa.repeat(pa.scalar(DELETE, pa.int8()), count),
                    keys,
                    pc.fill_null(left.column("size"), 1),
                    pa.nulls(count, pa.binary(DIGEST_BYTES)),
                    left.column("digest"),
                    pa.repeat(True, count),
                    pc.binary_join_element_wise('{"DeleteRequest":{"Key":{', keys, "}}}", ""),
                    pa.nulls(count, pa.int64()),
                ],
                schema=SCHEMA,
            )

    def _count(self, batch: pa.RecordBatch) -> None:
        """An item without rows is a split item: it continues the group before it."""
        result = self.result
        rows, size, dropped = (batch.column(name) for name in ("rows", "size", "dropped"))
        split_items = pc.sum(pc.equal(rows, 0)).as_py()
        result.rows += pc.sum(rows).as_py()
        result.items += batch.num_rows - split_items
        result.split_items += split_items
        result.dropped_elements += pc.sum(dropped).as_py()
        result.truncated_items += pc.sum(pc.greater(dropped, 0)).as_py()
        self._enter_largest(batch.column("key"), size)

    def _enter_largest(self, keys: pa.Array, size: pa.Array) -> None:
        largest = pc.max(size).as_py()
        if largest is not None and largest > self.result.largest_size:
            self.result.largest_size = largest
            self.result.largest_key = keys[pc.index(size, largest).as_py()].as_py()

    def _tally(self, keys: pa.StringArray, state: Comparison, same: pa.BooleanArray) -> None:
        """Count new, changed, rewritten and unchanged items; keep some keys of the first two."""
        result, count = self.result, len(keys)
        known, is_new = pc.is_valid(state.digest), pc.invert(state.in_state)
        is_changed = pc.and_not(known, same)
        new, changed, equal = (pc.sum(mask).as_py() or 0 for mask in (is_new, is_changed, same))
        result.new += new
        result.changed += changed
        result.unchanged += 0 if self.everything else equal
        result.rewritten += count - new - changed - (0 if self.everything else equal)
        for examples, mask, some in (
            (result.new_keys, is_new, new),
            (result.changed_keys, is_changed, changed),
        ):
            if some and len(examples) < KEY_EXAMPLES:
                examples += keys.filter(mask).slice(0, KEY_EXAMPLES - len(examples)).to_pylist()

    def _reject(self, rejected: pa.RecordBatch) -> None:
        result = self.result
        result.rejected_items += rejected.num_rows
        for item in rejected.to_pylist():
            if len(result.rejects) < REJECT_EXAMPLES:
                result.rejects.append(Reject(item["problem"], item["rows"], item["key"]))
            # An item over DynamoDB's limit is not whole: grouping stops at the limit.
            attributes = item["item"] if item["size"] <= ITEM_BYTES else None
            if self.shard:
                self.shard.rejected(
                    result.partition, item["key"], item["rows"], item["problem"], attributes
                )
        self.keep(rejected.column("key"))

    def keep(self, rejected: pa.StringArray) -> None:
        """The table keeps the items of these keys, because their new items were rejected."""
        if self.delta is None:
            self.state.append(in_doubt(rejected))
            return
        keys = group_keys(rejected, self.split)
        kept = self.delta.keep(keys.to_pylist(), prefixes=self.split is not None)
        if kept.num_rows:
            self.state.append(kept)
            self.result.kept += kept.num_rows


def _as_puts(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Changes of items as if the table had none of them; `request` is only the item's JSON.

    Most items are unchanged, and need no request.
    """
    count, item = batch.num_rows, batch.column("item")
    return pa.RecordBatch.from_arrays(
        [
            pa.repeat(pa.scalar(PUT, pa.int8()), count),
            batch.column("key"),
            batch.column("size").cast(pa.int32()),
            pa.array(map(digest, item.to_pylist()), pa.binary(DIGEST_BYTES)),
            pa.nulls(count, pa.binary(DIGEST_BYTES)),
            pa.repeat(False, count),
            item,
            batch.column("rows_hash"),
        ],
        schema=SCHEMA,
    )


def _with_requests(puts: pa.RecordBatch) -> pa.RecordBatch:
    item, index = puts.column("request"), SCHEMA.get_field_index("request")
    request = pc.binary_join_element_wise('{"PutRequest":{"Item":{', item, "}}}", "")
    return puts.set_column(index, SCHEMA.field(index), request)
