"""Reads the keys that differ again, because their items may have changed since they were read."""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from loader.dynamodb.get_items import BATCH_KEYS, get_items
from loader.dynamodb.reader import Reader
from loader.items.canonical import canonical_text, key_text
from loader.items.digest import digest
from loader.verify.comparison import Difference
from loader.verify.tally import DIFFERENT, EXTRA, MISSING


@dataclass
class SecondLook:
    """The keys that still differ, with what the table has now.

    `settled` counts the keys that no longer do, by their kind before. `items` has the items of
    the first keys that are different.
    """

    differences: list[Difference] = field(default_factory=list)
    settled: Counter[str] = field(default_factory=Counter)
    moved: Counter[tuple[str, str]] = field(default_factory=Counter)
    items: dict[str, dict[str, Any]] = field(default_factory=dict)


def second_look(
    reader: Reader,
    differences: Sequence[Difference],
    key: Sequence[str],
    attributes: Sequence[str],
    examples: int,
) -> SecondLook:
    """Read the items of these keys; `examples` of those that are different are kept."""
    look = SecondLook()
    for difference, item in _read(reader, differences, key):
        actual = None if item is None else digest(canonical_text(item, attributes))
        kind = kind_of(difference.expected, actual)
        if kind is None:
            look.settled[difference.kind] += 1
            continue
        look.moved[difference.kind, kind] += 1
        look.differences.append(replace(difference, kind=kind, actual=actual))
        if kind == DIFFERENT and item is not None and len(look.items) < examples:
            look.items[difference.key] = item
    return look


def kind_of(expected: bytes | None, actual: bytes | None) -> str | None:
    """How two digests differ; None stands for no item. None if they are equal."""
    if expected == actual:
        return None
    if expected is None:
        return EXTRA
    return MISSING if actual is None else DIFFERENT


def _read(
    reader: Reader, differences: Sequence[Difference], key: Sequence[str]
) -> Iterator[tuple[Difference, dict[str, Any] | None]]:
    """Each key with its item, or None; memory holds the items of one batch."""
    for start in range(0, len(differences), BATCH_KEYS):
        batch = differences[start : start + BATCH_KEYS]
        keys = [json.loads(f"{{{difference.key}}}") for difference in batch]
        items = {key_text(item, key): item for page in get_items(reader, keys) for item in page}
        for difference in batch:
            yield difference, items.get(difference.key)
