"""Sorted rows → items: run-length grouping over Arrow batches, streaming.

Memory is one batch and the one item that is still open, and that item stops growing once it is
past DynamoDB's limit: neither the partition nor the heaviest user is ever held whole (`distinct`
holds the heaviest user's different elements; a split list waits in a temporary file).
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from loader.items.element_filter import ElementFilter, element_filter, kept_elements
from loader.items.item import (
    ITEMS,
    NOT_CONSTANT,
    CollectedAttribute,
    CurrentKey,
    first_problem,
    number_attribute,
)
from loader.items.limits import ITEM_BYTES
from loader.items.oversize_item import OversizeItem
from loader.items.texts import TextKey


def group(
    batches: Iterable[pa.RecordBatch],
    collected_attributes: Sequence[CollectedAttribute],
    text_key: TextKey | None = None,
) -> Iterator[pa.RecordBatch]:
    """Batches of encoded rows (rows.py), sorted, none with a NULL key → batches of `ITEMS`.

    With a `text_key` the rows have the key's text, which is encoded here.

    An item comes out once, when a row of the next one is seen. Where `attributes` differ within a
    key, or there is more than one row and nothing to collect, the item has a problem.
    """
    element_filters = [element_filter(collected) for collected in collected_attributes]
    if collected_attributes and (collected_attributes[0].truncate or collected_attributes[0].split):
        yield from _cut(batches, collected_attributes, element_filters, text_key)
        return
    open_item: PendingItem | None = None
    for batch in batches:
        if not batch.num_rows:
            continue
        continues = open_item is not None and open_item.current_key.is_key_of(batch)
        groups = _grouped(batch, element_filters, continues, text_key).groups
        last = groups.num_rows - 1
        if open_item is not None and continues:
            open_item.add(groups)
            if not last:
                continue
        closed = [groups.slice(int(continues), last - int(continues))]
        if open_item is not None:
            closed.insert(0, open_item.as_group())
        open_item = PendingItem(groups.slice(last))
        yield _items(pa.concat_batches(closed), collected_attributes)
    if open_item is not None:
        yield _items(open_item.as_group(), collected_attributes)


def _cut(
    batches: Iterable[pa.RecordBatch],
    collected_attributes: Sequence[CollectedAttribute],
    element_filters: Sequence[ElementFilter | None],
    text_key: TextKey | None,
) -> Iterator[pa.RecordBatch]:
    """The same for an export that truncates or splits: items over the limit are made of rows."""
    open_rows: OversizeItem | None = None
    for batch in batches:
        if not batch.num_rows:
            continue
        continues = open_rows is not None and open_rows.current_key.is_key_of(batch)
        grouped = _grouped(batch, element_filters, continues, text_key)
        groups = grouped.groups
        first, last = int(continues), groups.num_rows - 1
        if open_rows is not None and continues:
            open_rows.add(groups, grouped.rows_of(0))
            if not last:
                continue
        if open_rows is not None:
            yield from open_rows.items()
        for at in [
            *_too_large(groups.slice(first, last - first), collected_attributes, first),
            last,
        ]:
            if at > first:
                yield _items(groups.slice(first, at - first), collected_attributes)
            open_rows = OversizeItem(groups.slice(at), grouped.rows_of(at), collected_attributes)
            if at < last:
                yield from open_rows.items()
            first = at + 1
    if open_rows is not None:
        yield from open_rows.items()


def _too_large(
    groups: pa.RecordBatch, collected_attributes: Sequence[CollectedAttribute], first: int
) -> list[int]:
    """Which of the groups are over the limit; the number of the first one is given."""
    over = pc.greater(_size(groups, collected_attributes), ITEM_BYTES)
    return [first + at for at in pc.indices_nonzero(over).to_pylist()]


@dataclass(frozen=True)
class _Grouped:
    """A batch of rows by key. `groups` has one row a run of rows with the same key: partition, key,
    row_key (as the rows have it), rows, fixed, attributes, problem, and of each collected attribute
    its elements joined (t0, …) and their bytes (b0, …). `kept` flags the rows whose elements stay;
    None: all of them."""

    groups: pa.RecordBatch
    batch: pa.RecordBatch
    kept: list[pa.BooleanArray | None]
    offsets: pa.Int32Array

    def rows_of(self, at: int) -> pa.RecordBatch:
        """The rows of one of the groups."""
        start, end = self.offsets[at].as_py(), self.offsets[at + 1].as_py()
        return kept_elements(self.batch, self.kept, start, end - start)


def _grouped(
    batch: pa.RecordBatch,
    element_filters: Sequence[ElementFilter | None],
    continues: bool,
    text_key: TextKey | None,
) -> _Grouped:
    starts = _starts(batch)
    first_rows = pc.indices_nonzero(starts).cast(pa.int32())
    offsets = pa.concat_arrays([first_rows, pa.array([batch.num_rows], pa.int32())])
    row_key = batch.column("key").take(first_rows)
    columns = {
        "partition": batch.column("partition").take(first_rows),
        "key": text_key.encode(row_key) if text_key else row_key,
        "row_key": row_key,
        "rows": _differences(offsets).cast(pa.int64()),
        "base_bytes": batch.column("base_bytes").take(first_rows).cast(pa.int64()),
        "attributes": batch.column("attributes").take(first_rows),
        "problem": _problems(batch, starts, first_rows),
    }
    kept: list[pa.BooleanArray | None] = []
    for i, one in enumerate(element_filters):
        elements, sizes, bounds, flags = (
            batch.column(f"element_{i}"),
            batch.column(f"size_{i}"),
            offsets,
            None,
        )
        if one:
            goes_on = pa.array([not continues], pa.bool_())
            flags = one.keep(pa.concat_arrays([goes_on, starts.slice(1)]), elements)
            bounds = _running_total(flags.cast(pa.int32())).take(offsets)
            elements, sizes = elements.filter(flags), sizes.filter(flags)
        joined = pc.binary_join(pa.ListArray.from_arrays(bounds, elements), ",")
        columns[f"joined_{i}"] = pc.fill_null(joined, "")
        columns[f"bytes_{i}"] = _differences(_running_total(sizes.cast(pa.int64())).take(bounds))
        kept.append(flags)
    return _Grouped(pa.RecordBatch.from_pydict(columns), batch, kept, offsets)


def _starts(batch: pa.RecordBatch) -> pa.BooleanArray:
    """True for the first row of each run; always for the first row of the batch."""
    # Comparing with NULL gives NULL; any number out of range stands for it as well.
    partition = pc.fill_null(batch.column("partition"), -1)
    changes = [
        pc.not_equal(values.slice(1), values.slice(0, len(values) - 1))
        for values in (partition, batch.column("key"))
    ]
    return pa.concat_arrays([pa.array([True]), pc.or_(*changes)])


def _running_total(values: pa.Array) -> pa.Array:
    """Totals before each value, and the total of all at the end."""
    zero = pa.array([0], values.type)
    return pc.cumulative_sum(pa.concat_arrays([zero, values]))


def _differences(values: pa.Array) -> pa.Array:
    return pc.subtract(values.slice(1), values.slice(0, len(values) - 1))


def _problems(
    batch: pa.RecordBatch, starts: pa.BooleanArray, first_rows: pa.Int32Array
) -> pa.StringArray:
    """The first problem of each run; null for most."""
    problem, attributes = batch.column("problem"), batch.column("attributes")
    differs = pc.not_equal(attributes.slice(1), attributes.slice(0, len(attributes) - 1))
    varies = pa.concat_arrays([pa.array([False]), pc.and_not(differs, starts.slice(1))])
    if problem.null_count == len(problem) and not pc.any(varies).as_py():
        return pa.nulls(len(first_rows), pa.string())
    found: list[str | None] = []
    rows = zip(starts.to_pylist(), problem.to_pylist(), varies.to_pylist(), strict=True)
    for start, cause, varied in rows:
        if start:
            found.append(None)
        found[-1] = first_problem(found[-1], cause or (NOT_CONSTANT if varied else None))
    return pa.array(found, pa.string())


class PendingItem:
    """The last item of a batch, which the next batch may go on with."""

    def __init__(self, group_: pa.RecordBatch) -> None:
        self.current_key = CurrentKey(group_)
        self.bytes = [0] * sum(name.startswith("bytes_") for name in group_.schema.names)
        self.texts: list[list[str]] = [[] for _ in self.bytes]
        self._take(group_)

    def add(self, groups: pa.RecordBatch) -> None:
        """Take in the first of the groups; text past the limit is counted, not kept."""
        self.current_key.add(groups)
        self._take(groups)

    def _take(self, groups: pa.RecordBatch) -> None:
        for i, pieces in enumerate(self.texts):
            if sum(self.bytes) <= ITEM_BYTES and (text := groups.column(f"joined_{i}")[0].as_py()):
                pieces.append(text)
            self.bytes[i] += groups.column(f"bytes_{i}")[0].as_py()

    def as_group(self) -> pa.RecordBatch:
        """The item as one row of groups."""
        group_ = self.current_key.group
        columns = {
            **{name: group_.column(name) for name in group_.schema.names},
            "rows": pa.array([self.current_key.rows], pa.int64()),
            "problem": pa.array([self.current_key.problem], pa.string()),
        }
        for i, pieces in enumerate(self.texts):
            columns[f"joined_{i}"] = pa.array([",".join(pieces)], pa.string())
            columns[f"bytes_{i}"] = pa.array([self.bytes[i]], pa.int64())
        return pa.RecordBatch.from_pydict(columns)


def _size(
    groups: pa.RecordBatch, collected_attributes: Sequence[CollectedAttribute]
) -> pa.Int64Array:
    size = groups.column("base_bytes")
    for i, collected in enumerate(collected_attributes):
        size = pc.add(size, pc.add(groups.column(f"bytes_{i}"), collected.overhead))
    if collected_attributes and collected_attributes[0].split:
        size = pc.add(size, number_attribute(collected_attributes[0].split, 0)[1])
    return size


def _items(
    groups: pa.RecordBatch, collected_attributes: Sequence[CollectedAttribute]
) -> pa.RecordBatch:
    """Complete groups → `ITEMS`."""
    key, size = groups.column("key"), _size(groups, collected_attributes)
    if collected_attributes and collected_attributes[0].split:
        key = pc.binary_join_element_wise(
            key, number_attribute(collected_attributes[0].split, 0)[0], ""
        )
    pieces: list[pa.Array | str] = [key]
    for i, collected in enumerate(collected_attributes):
        pieces += [collected.opening, groups.column(f"joined_{i}"), "]}"]
    pieces += [groups.column("attributes"), ""]
    return pa.RecordBatch.from_arrays(
        [
            groups.column("partition"),
            key,
            pc.binary_join_element_wise(*pieces),
            size,
            groups.column("rows"),
            pa.repeat(0, groups.num_rows),
            _refusals(groups, size, collected_attributes),
        ],
        schema=ITEMS,
    )


def _refusals(
    groups: pa.RecordBatch, size: pa.Array, collected_attributes: Sequence[CollectedAttribute]
) -> pa.StringArray:
    problem = groups.column("problem")
    if not collected_attributes:
        rows = groups.column("rows")
        problem = _where(problem, pc.greater(rows, 1), "a key must have one row, got ", rows)
    for i, collected in enumerate(collected_attributes):
        if collected.is_set and collected.omit_nulls:
            empty = pc.equal(groups.column(f"joined_{i}"), "")
            message = pc.if_else(empty, collected.empty, pa.scalar(None, pa.string()))
            problem = pc.coalesce(problem, message)
    return _where(
        problem,
        pc.greater(size, ITEM_BYTES),
        f"item must be at most {ITEM_BYTES} bytes, got ",
        size,
    )


def _where(
    problem: pa.StringArray, wrong: pa.BooleanArray, rule: str, value: pa.Array
) -> pa.StringArray:
    """The problem that is there already, else the rule's where it is broken."""
    message = pc.binary_join_element_wise(rule, value.cast(pa.string()), "")
    return pc.coalesce(problem, pc.if_else(wrong, message, pa.scalar(None, pa.string())))
