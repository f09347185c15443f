"""Sorted rows → items: run-length grouping over Arrow batches, streaming.

Memory is one batch and the one item that is still open, and that item stops growing once it is
past DynamoDB's limit: neither the partition nor the heaviest user is ever held whole (`distinct`
holds the heaviest user's different elements).
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html#limits-items
ITEM_BYTES = 400 * 1024
# What a list weighs beside its elements:
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html
LIST_BYTES = 3
NOT_CONSTANT = (
    "attributes must be the same in all rows of a key, got different values: "
    "collect them, or make them constant in the model"
)

# One row per item. `item` is the inside of the item's JSON object, cut short in an item that is
# too large. `problem` is why the item cannot be written, null for a good one.
ITEMS = pa.schema(
    [
        pa.field("partition", pa.int32()),
        pa.field("key", pa.string()),
        pa.field("item", pa.string()),
        pa.field("size", pa.int64()),
        pa.field("rows", pa.int64()),
        pa.field("problem", pa.string()),
    ]
)


@dataclass(frozen=True)
class Gather:
    """How the elements of one collected attribute become its JSON: `letter` is L, SS, NS or BS."""

    attribute: str
    letter: str
    distinct: bool = False
    limit: int | None = None

    @property
    def opening(self) -> str:
        """What stands before the elements."""
        return f',{json.dumps(self.attribute, ensure_ascii=False)}:{{"{self.letter}":['

    @property
    def overhead(self) -> int:
        """Bytes beside the elements: the attribute's name, and the list's own."""
        return len(self.attribute.encode()) + (LIST_BYTES if self.letter == "L" else 0)


def group(batches: Iterable[pa.RecordBatch], gathers: Sequence[Gather]) -> Iterator[pa.RecordBatch]:
    """Batches of encoded rows (rows.py), sorted, none with a NULL key → batches of `ITEMS`.

    An item comes out once, when a row of the next one is seen. Where `attributes` differ within a
    key, or there is more than one row and nothing to gather, the item has a problem.
    """
    keepers = [_Keeper(g.distinct, g.limit) if g.distinct or g.limit else None for g in gathers]
    open_item: _OpenItem | None = None
    for batch in batches:
        if not batch.num_rows:
            continue
        continues = open_item is not None and open_item.is_key_of(batch)
        groups = _groups(batch, keepers, continues)
        last = groups.num_rows - 1
        if open_item is not None and continues:
            open_item.add(groups)
            if not last:
                continue
        closed = [groups.slice(int(continues), last - int(continues))]
        if open_item is not None:
            closed.insert(0, open_item.as_group())
        open_item = _OpenItem(groups.slice(last))
        yield _items(pa.concat_batches(closed), gathers)
    if open_item is not None:
        yield _items(open_item.as_group(), gathers)


class _Keeper:
    """Says which rows' elements stay, for `distinct` and `limit`: the first ones of each item.

    For `distinct` it holds the different elements of the open item, however many they are.
    """

    def __init__(self, distinct: bool, limit: int | None) -> None:
        self.distinct, self.limit = distinct, limit
        self.seen: set[str | None] = set()
        self.kept = 0

    def keep(self, starts: pa.BooleanArray, elements: pa.StringArray) -> pa.BooleanArray:
        """One flag a row; remembers the item that is open at the batch's end."""
        flags = []
        for start, element in zip(starts.to_pylist(), elements.to_pylist(), strict=True):
            if start:
                self.seen, self.kept = set(), 0
            full = self.limit is not None and self.kept >= self.limit
            flags.append(not full and element not in self.seen)
            if flags[-1]:
                self.kept += 1
                if self.distinct:
                    self.seen.add(element)
        return pa.array(flags, pa.bool_())


def _groups(
    batch: pa.RecordBatch, keepers: Sequence[_Keeper | None], continues: bool
) -> pa.RecordBatch:
    """One row per run of rows with the same key: partition, key, rows, fixed, attributes, problem,
    and of each collected attribute its elements joined (t0, …) and their bytes (b0, …)."""
    starts = _starts(batch)
    first_rows = pc.indices_nonzero(starts).cast(pa.int32())
    offsets = pa.concat_arrays([first_rows, pa.array([batch.num_rows], pa.int32())])
    columns = {
        "partition": batch.column("partition").take(first_rows),
        "key": batch.column("key").take(first_rows),
        "rows": _differences(offsets).cast(pa.int64()),
        "fixed": batch.column("fixed").take(first_rows).cast(pa.int64()),
        "attributes": batch.column("attributes").take(first_rows),
        "problem": _problems(batch, starts, first_rows),
    }
    for i, keeper in enumerate(keepers):
        elements, sizes, bounds = batch.column(f"e{i}"), batch.column(f"s{i}"), offsets
        if keeper:
            goes_on = pa.array([not continues], pa.bool_())
            kept = keeper.keep(pa.concat_arrays([goes_on, starts.slice(1)]), elements)
            bounds = _running_total(kept.cast(pa.int32())).take(offsets)
            elements, sizes = elements.filter(kept), sizes.filter(kept)
        joined = pc.binary_join(pa.ListArray.from_arrays(bounds, elements), ",")
        columns[f"t{i}"] = pc.fill_null(joined, "")
        columns[f"b{i}"] = _differences(_running_total(sizes.cast(pa.int64())).take(bounds))
    return pa.RecordBatch.from_pydict(columns)


def _starts(batch: pa.RecordBatch) -> pa.BooleanArray:
    """True for the first row of each run; always for the first row of the batch."""
    changes = [
        pc.not_equal(values.slice(1), values.slice(0, len(values) - 1))
        for values in (batch.column("partition"), batch.column("key"))
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
        found[-1] = _first_problem(found[-1], cause or (NOT_CONSTANT if varied else None))
    return pa.array(found, pa.string())


def _first_problem(known: str | None, later: str | None) -> str | None:
    """The first problem of a row; that attributes differ only where no row has one of its own."""
    return known if known and (known != NOT_CONSTANT or not later) else later


class _OpenItem:
    """The last item of a batch, which the next batch may go on with."""

    def __init__(self, group_: pa.RecordBatch) -> None:
        self.first = group_
        self.partition = group_.column("partition")[0].as_py()
        self.key = group_.column("key")[0].as_py()
        self.attributes = group_.column("attributes")[0].as_py()
        self.problem = group_.column("problem")[0].as_py()
        self.rows = 0
        self.bytes = [0] * sum(name.startswith("b") for name in group_.schema.names)
        self.texts: list[list[str]] = [[] for _ in self.bytes]
        self.add(group_)

    def is_key_of(self, batch: pa.RecordBatch) -> bool:
        """True if the batch's first row belongs to this item."""
        first = batch.slice(0, 1)
        return bool(
            first.column("key")[0].as_py() == self.key
            and first.column("partition")[0].as_py() == self.partition
        )

    def add(self, groups: pa.RecordBatch) -> None:
        """Take in the first of the groups; text past the limit is counted, not kept."""
        first = groups.slice(0, 1)
        self.rows += first.column("rows")[0].as_py()
        problem = first.column("problem")[0].as_py()
        if first.column("attributes")[0].as_py() != self.attributes:
            problem = problem or NOT_CONSTANT
        self.problem = _first_problem(self.problem, problem)
        for i, pieces in enumerate(self.texts):
            if sum(self.bytes) <= ITEM_BYTES and (text := first.column(f"t{i}")[0].as_py()):
                pieces.append(text)
            self.bytes[i] += first.column(f"b{i}")[0].as_py()

    def as_group(self) -> pa.RecordBatch:
        """The item as one row of groups."""
        columns = {
            **{name: self.first.column(name) for name in self.first.schema.names},
            "rows": pa.array([self.rows], pa.int64()),
            "problem": pa.array([self.problem], pa.string()),
        }
        for i, pieces in enumerate(self.texts):
            columns[f"t{i}"] = pa.array([",".join(pieces)], pa.string())
            columns[f"b{i}"] = pa.array([self.bytes[i]], pa.int64())
        return pa.RecordBatch.from_pydict(columns)


def _items(groups: pa.RecordBatch, gathers: Sequence[Gather]) -> pa.RecordBatch:
    """Complete groups → `ITEMS`."""
    pieces: list[pa.Array | str] = [groups.column("key")]
    size = groups.column("fixed")
    for i, gather in enumerate(gathers):
        pieces += [gather.opening, groups.column(f"t{i}"), "]}"]
        size = pc.add(size, pc.add(groups.column(f"b{i}"), gather.overhead))
    pieces += [groups.column("attributes"), ""]
    return pa.RecordBatch.from_arrays(
        [
            groups.column("partition"),
            groups.column("key"),
            pc.binary_join_element_wise(*pieces),
            size,
            groups.column("rows"),
            _refusals(groups, size, gathers),
        ],
        schema=ITEMS,
    )


def _refusals(groups: pa.RecordBatch, size: pa.Array, gathers: Sequence[Gather]) -> pa.StringArray:
    problem = groups.column("problem")
    if not gathers:
        rows = groups.column("rows")
        problem = _where(problem, pc.greater(rows, 1), "a key must have one row, got ", rows)
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
