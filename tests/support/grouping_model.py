"""Random rows of users, and the items that they must become, computed one row at a time."""

import itertools
import json
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
from hypothesis import strategies as st

from loader.items.collected_attribute import ITEMS, CollectedAttribute
from loader.items.grouping import group
from loader.items.json_text import json_text
from loader.items.key_runs import NOT_CONSTANT
from loader.items.limits import ITEM_BYTES
from tests.support.encoded_rows import Row, key_of, text

Item = dict[str, Any]
NAMES = ("1", "2", 'a"b', "back\\slash", "é", "日本", "a,b", "{}", "'")
ATTRIBUTES = ("", ',"country":{"S":"UK"}', ',"country":{"S":"Ö\\""}')
TEXTS = ("x", "y", "", 'q"', "ü", "a,b", '",', "日" * 9, "\x1f")
ELEMENTS = [text(value) for value in TEXTS]
SET_ELEMENTS = [(json_text(value), len(value.encode())) for value in TEXTS]


def grouped(
    batches: Sequence[pa.RecordBatch],
    collected: Sequence[CollectedAttribute],
    limit: int = ITEM_BYTES,
) -> list[Item]:
    items = list(group(batches, collected, limit=limit))
    assert all(batch.schema == ITEMS for batch in items)
    return [item for batch in items for item in batch.to_pylist()]


def items_by_hand(
    rows: Sequence[Row], collected: Sequence[CollectedAttribute], limit: int
) -> list[Item]:
    """The expected items: one row after the other, the whole item in memory."""
    items = []
    for (partition, key), run in itertools.groupby(rows, lambda row: (row.partition, row.key)):
        members = list(run)
        item, size = str(key), members[0].base_bytes
        for i, attribute in enumerate(collected):
            kept: list[tuple[str, int]] = []
            for element in [row.elements[i] for row in members]:
                full = attribute.limit is not None and len(kept) >= attribute.limit
                if not full and not (attribute.distinct and element in kept):
                    kept.append(element)
            name = json.dumps(attribute.name, ensure_ascii=False)
            texts = [element for element, _ in kept]
            elements = ",".join(sorted(texts) if attribute.is_set else texts)
            item += f',{name}:{{"{attribute.type}":[{elements}]}}'
            size += sum(bytes_ for _, bytes_ in kept) + len(attribute.name.encode())
            size += 3 if attribute.type == "L" else 0
        problem = next((row.problem for row in members if row.problem), None)
        if problem is None and len({row.attributes for row in members}) > 1:
            problem = NOT_CONSTANT
        if problem is None and not collected and len(members) > 1:
            problem = f"a key must have one row, got {len(members)}"
        if problem is None and size > limit:
            problem = f"item must be at most {limit} bytes, got {size}"
        items.append(
            {
                "partition": partition,
                "key": key,
                "item": item + members[0].attributes,
                "size": size,
                "rows": len(members),
                "dropped": 0,
                "problem": problem,
                "rows_hash": sum_of_hashes(members),
            }
        )
    return items


def sum_of_hashes(rows: Sequence[Row]) -> int | None:
    """Modulo 2^63; None if the rows have no hashes."""
    hashes = [row.row_hash for row in rows if row.row_hash is not None]
    return sum(hashes) % (1 << 63) if hashes else None


@st.composite
def users(
    draw: st.DrawFn, collected: Sequence[CollectedAttribute], hashed: bool = False
) -> list[Row]:
    """Rows sorted by partition and key; few users have differing attributes, a problem, or both."""
    rows: list[Row] = []
    elements = [st.sampled_from(SET_ELEMENTS if a.is_set else ELEMENTS) for a in collected]
    partitions = draw(st.lists(st.integers(0, 3), max_size=3, unique=True).map(sorted))
    for partition in partitions:
        for name in draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=4, unique=True)):
            fault = draw(st.sampled_from(["none"] * 4 + ["attributes", "problem", "both"]))
            attributes = ATTRIBUTES if fault in ("attributes", "both") else ATTRIBUTES[1:2]
            problems = [None, "bad", "worse"] if fault in ("problem", "both") else [None]
            rows += draw(
                st.lists(
                    st.builds(
                        Row,
                        st.just(partition),
                        st.just(key_of(name)),
                        st.tuples(*elements),
                        st.sampled_from(attributes),
                        st.just(len(name.encode()) + 7),
                        st.sampled_from(problems),
                        st.integers(-(1 << 63), (1 << 63) - 1) if hashed else st.none(),
                    ),
                    min_size=1,
                    max_size=6,
                )
            )
    return rows
