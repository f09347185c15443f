"""One batch of encoded rows → groups, by run-length encoding of the keys."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import pyarrow as pa
import pyarrow.compute as pc

from loader.items.element_filter import ElementFilter, KeyRows
from loader.items.text_encoding import TextKey

ROW_HASH = "row_hash"
HASH_MASK = (1 << 63) - 1  # sums of hashes are modulo 2^63
NOT_CONSTANT = (
    "attributes must be the same in all rows of a key, got different values: "
    "collect them, or make them constant in the model"
)


@dataclass(frozen=True)
class GroupedBatch:
    """`groups` has one row per run of rows with the same key.

    Its columns are partition, key, row_key (the key as the rows have it), rows, rows_hash,
    base_bytes, attributes, problem, and for each collected attribute the joined elements
    (joined_0, …) and their bytes (bytes_0, …). `kept` flags the rows whose elements are kept; None:
    all.
    """

    groups: pa.RecordBatch
    batch: pa.RecordBatch
    kept: list[pa.BooleanArray | None]
    offsets: pa.Int32Array

    def rows_of(self, group: int) -> KeyRows:
        """The rows of one group."""
        start, end = self.offsets[group].as_py(), self.offsets[group + 1].as_py()
        rows = self.batch.slice(start, end - start)
        flags = [
            rows.column(f"element_{i}").is_valid()
            if kept is None
            else kept.slice(start, end - start)
            for i, kept in enumerate(self.kept)
        ]
        return KeyRows(rows, flags)


def group_batch(
    batch: pa.RecordBatch,
    is_sorted: Sequence[bool],
    element_filters: Sequence[ElementFilter | None],
    continues: bool,
    text_key: TextKey | None,
) -> GroupedBatch:
    """`is_sorted` and `element_filters` have one entry per collected attribute.

    `continues`: the batch begins with more rows of the last key of the batch before.
    """
    starts = _starts(batch)
    first_rows = pc.indices_nonzero(starts).cast(pa.int32())
    offsets = pa.concat_arrays([first_rows, pa.array([batch.num_rows], pa.int32())])
    row_key = batch.column("key").take(first_rows)
    columns = {
        "partition": batch.column("partition").take(first_rows),
        "key": text_key.encode(row_key) if text_key else row_key,
        "row_key": row_key,
        "rows": _differences(offsets).cast(pa.int64()),
        "rows_hash": _rows_hash(batch, offsets),
        "base_bytes": batch.column("base_bytes").take(first_rows).cast(pa.int64()),
        "attributes": batch.column("attributes").take(first_rows),
        "problem": _problems(batch, starts, first_rows),
    }
    kept: list[pa.BooleanArray | None] = []
    for i, (sort, element_filter) in enumerate(zip(is_sorted, element_filters, strict=True)):
        elements, sizes = batch.column(f"element_{i}"), batch.column(f"size_{i}")
        bounds, flags = offsets, None
        if element_filter:
            opens = pa.array([not continues], pa.bool_())
            flags = element_filter.keep(pa.concat_arrays([opens, starts.slice(1)]), elements)
            bounds = _running_total(flags.cast(pa.int32())).take(offsets)
            elements, sizes = elements.filter(flags), sizes.filter(flags)
        columns[f"joined_{i}"] = (_join_sorted if sort else _join)(bounds, elements)
        columns[f"bytes_{i}"] = _differences(_running_total(sizes.cast(pa.int64())).take(bounds))
        kept.append(flags)
    return GroupedBatch(pa.RecordBatch.from_pydict(columns), batch, kept, offsets)


def _rows_hash(batch: pa.RecordBatch, offsets: pa.Int32Array) -> pa.Int64Array:
    """The sum of the hashes of each run's rows, modulo 2^63: the total may overflow."""
    if ROW_HASH not in batch.schema.names:
        return pa.nulls(len(offsets) - 1, pa.int64())
    sums = _differences(_running_total(batch.column(ROW_HASH)).take(offsets))
    return pc.bit_wise_and(sums, HASH_MASK)


def _join(bounds: pa.Int32Array, elements: pa.StringArray) -> pa.StringArray:
    joined = pc.binary_join(pa.ListArray.from_arrays(bounds, elements), ",")
    return pc.fill_null(joined, "")


def _join_sorted(bounds: pa.Int32Array, elements: pa.StringArray) -> pa.StringArray:
    """The elements of each run in the order of their JSON.

    A NULL, which has a problem, is left out. Only runs that are not in order yet are sorted one by
    one: Spark would take twenty times the CPU.
    """
    joined, last = _join(bounds, elements), len(elements) - 1
    if last < 1:
        return joined
    descends = pc.fill_null(pc.greater(elements.slice(0, last), elements.slice(1)), True)
    before = _running_total(descends.cast(pa.int32()))
    # An empty run begins and ends at the next element.
    starts = pc.min_element_wise(bounds.slice(0, len(bounds) - 1), last)
    ends = pc.max_element_wise(starts, pc.subtract(bounds.slice(1), 1))
    mixed = pc.not_equal(before.take(ends), before.take(starts))
    if not pc.any(mixed).as_py():
        return joined
    texts, runs = elements.to_pylist(), [*pairwise(bounds.to_pylist())]
    in_order = [
        ",".join(sorted(filter(None, texts[start:end])))
        for (start, end), is_mixed in zip(runs, mixed.to_pylist(), strict=True)
        if is_mixed
    ]
    return pc.replace_with_mask(joined, mixed, pa.array(in_order, pa.string()))


def _starts(batch: pa.RecordBatch) -> pa.BooleanArray:
    """True for the first row of each run, and always for the first row of the batch."""
    # A comparison with NULL is NULL, so NULL is replaced with a number that no partition has.
    partition = pc.fill_null(batch.column("partition"), -1)
    changes = [
        pc.not_equal(values.slice(1), values.slice(0, len(values) - 1))
        for values in (partition, batch.column("key"))
    ]
    return pa.concat_arrays([pa.array([True]), pc.or_(*changes)])


def _running_total(values: pa.Array) -> pa.Array:
    """The total before each value, and the total of all values."""
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
    problems: list[str | None] = []
    rows = zip(starts.to_pylist(), problem.to_pylist(), varies.to_pylist(), strict=True)
    for start, cause, varied in rows:
        if start:
            problems.append(None)
        problems[-1] = first_problem(problems[-1], cause or (NOT_CONSTANT if varied else None))
    return pa.array(problems, pa.string())


def first_problem(known: str | None, later: str | None) -> str | None:
    """The first problem of a key's rows; NOT_CONSTANT only if no row has another problem."""
    return known if known and (known != NOT_CONSTANT or not later) else later
