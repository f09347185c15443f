"""Complete groups → items, each within the limit or with its problem."""

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from loader.items.collected_attribute import ITEMS, CollectedAttribute, number_attribute


def assemble(
    groups: pa.RecordBatch, collected: Sequence[CollectedAttribute], limit: int
) -> pa.RecordBatch:
    """One item (`ITEMS`) per group (key_runs.py); of a split list, the first item."""
    key, size = groups.column("key"), item_sizes(groups, collected)
    if collected and collected[0].split:
        key = pc.binary_join_element_wise(key, number_attribute(collected[0].split, 0)[0], "")
    fragments: list[pa.Array | str] = [key]
    for i, attribute in enumerate(collected):
        fragments += [attribute.opening, groups.column(f"joined_{i}"), "]}"]
    fragments += [groups.column("attributes"), ""]
    return pa.RecordBatch.from_arrays(
        [
            groups.column("partition"),
            key,
            pc.binary_join_element_wise(*fragments),
            size,
            groups.column("rows"),
            pa.repeat(0, groups.num_rows),
            _problems(groups, size, collected, limit),
            groups.column("rows_hash"),
        ],
        schema=ITEMS,
    )


def item_sizes(groups: pa.RecordBatch, collected: Sequence[CollectedAttribute]) -> pa.Int64Array:
    size = groups.column("base_bytes")
    for i, attribute in enumerate(collected):
        size = pc.add(size, pc.add(groups.column(f"bytes_{i}"), attribute.overhead))
    if collected and collected[0].split:
        size = pc.add(size, number_attribute(collected[0].split, 0)[1])
    return size


def _problems(
    groups: pa.RecordBatch, size: pa.Array, collected: Sequence[CollectedAttribute], limit: int
) -> pa.StringArray:
    problem = groups.column("problem")
    if not collected:
        rows = groups.column("rows")
        problem = _or_problem(problem, pc.greater(rows, 1), "a key must have one row, got ", rows)
    for i, attribute in enumerate(collected):
        if attribute.is_set and attribute.omit_nulls:
            empty = pc.equal(groups.column(f"joined_{i}"), "")
            message = pc.if_else(empty, attribute.empty_problem, pa.scalar(None, pa.string()))
            problem = pc.coalesce(problem, message)
    too_large = pc.greater(size, limit)
    return _or_problem(problem, too_large, f"item must be at most {limit} bytes, got ", size)


def _or_problem(
    problem: pa.StringArray, broken: pa.BooleanArray, rule: str, value: pa.Array
) -> pa.StringArray:
    """The known problem, or else the rule and the value that breaks it; null if neither."""
    message = pc.binary_join_element_wise(rule, value.cast(pa.string()), "")
    return pc.coalesce(problem, pc.if_else(broken, message, pa.scalar(None, pa.string())))
