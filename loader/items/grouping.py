"""Sorted rows → items, streaming over Arrow batches.

Memory is one batch and one pending item, which stops growing at DynamoDB's limit. Exceptions:
`distinct` keeps all distinct elements of one key, a split list waits in a temporary file, and a
list that keeps its last rows has 4 bytes for each row with only repeated elements.
"""

from collections.abc import Iterable, Iterator, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from loader.items.assembly import assemble, item_sizes
from loader.items.collected_attribute import CollectedAttribute
from loader.items.element_filter import ElementFilter
from loader.items.key_runs import group_batch
from loader.items.limits import ITEM_BYTES
from loader.items.oversize_item import OversizeItem
from loader.items.pending_item import PendingItem
from loader.items.text_encoding import TextKey


def group(
    batches: Iterable[pa.RecordBatch],
    collected: Sequence[CollectedAttribute],
    text_key: TextKey | None = None,
    limit: int = ITEM_BYTES,
) -> Iterator[pa.RecordBatch]:
    """Batches of encoded rows (encoded_rows.py), sorted, no key NULL → batches of `ITEMS`.

    With a `text_key` the rows have the key as text, and this function encodes it. An item is
    yielded when the first row of the next item is read. It has a problem if `attributes` differ
    within the key, or if several rows have the key and nothing is collected.
    """
    filters = [
        ElementFilter(a) if a.distinct or a.limit or a.omit_nulls else None for a in collected
    ]
    if collected and (collected[0].truncate or collected[0].split):
        yield from _group_by_policy(batches, collected, filters, text_key, limit)
        return
    is_sorted = [attribute.is_sorted for attribute in collected]
    pending: PendingItem | None = None
    for batch in batches:
        if not batch.num_rows:
            continue
        continues = pending is not None and pending.current_key.continues_in(batch)
        groups = group_batch(batch, is_sorted, filters, continues, text_key).groups
        last = groups.num_rows - 1
        if pending is not None and continues:
            pending.add(groups)
            if not last:
                continue
        complete = [groups.slice(int(continues), last - int(continues))]
        if pending is not None:
            complete.insert(0, pending.as_group())
        pending = PendingItem(groups.slice(last), is_sorted, limit)
        yield assemble(pa.concat_batches(complete), collected, limit)
    if pending is not None:
        yield assemble(pending.as_group(), collected, limit)


def _group_by_policy(
    batches: Iterable[pa.RecordBatch],
    collected: Sequence[CollectedAttribute],
    filters: Sequence[ElementFilter | None],
    text_key: TextKey | None,
    limit: int,
) -> Iterator[pa.RecordBatch]:
    """The same for an export that truncates or splits items over the limit."""
    is_sorted = [attribute.is_sorted for attribute in collected]
    pending: OversizeItem | None = None
    for batch in batches:
        if not batch.num_rows:
            continue
        continues = pending is not None and pending.current_key.continues_in(batch)
        grouped = group_batch(batch, is_sorted, filters, continues, text_key)
        groups = grouped.groups
        first, last = int(continues), groups.num_rows - 1
        if pending is not None and continues:
            pending.add(groups, grouped.rows_of(0))
            if not last:
                continue
        if pending is not None:
            yield from pending.items()
        over = pc.greater(item_sizes(groups.slice(first, last - first), collected), limit)
        too_large = [first + index for index in pc.indices_nonzero(over).to_pylist()]
        for index in [*too_large, last]:
            if index > first:
                yield assemble(groups.slice(first, index - first), collected, limit)
            pending = OversizeItem(groups.slice(index), grouped.rows_of(index), collected, limit)
            if index < last:
                yield from pending.items()
            first = index + 1
    if pending is not None:
        yield from pending.items()
