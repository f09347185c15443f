"""Which attributes of two items differ, in short."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from loader.items.canonical import canonical_text
from loader.items.json_text import json_text

SHOWN = 60
CONTEXT = 15  # characters that are equal, before the first that is not


@dataclass(frozen=True)
class AttributeDifference:
    """An attribute with its value in the table and in the model, as DynamoDB JSON, shortened.

    None: the item does not have the attribute.
    """

    name: str
    table: str | None
    model: str | None


def attribute_differences(
    table: Mapping[str, Any], model: Mapping[str, Any], attributes: Iterable[str]
) -> list[AttributeDifference]:
    """The attributes that differ, in the order of `attributes`, then others by name."""
    names = dict.fromkeys([*attributes, *sorted({*table, *model})])
    pairs = [(name, _value(table, name), _value(model, name)) for name in names]
    return [
        AttributeDifference(name, *_short(ours, theirs))
        for name, ours, theirs in pairs
        if ours != theirs
    ]


def _value(item: Mapping[str, Any], name: str) -> str | None:
    """The canonical JSON of an attribute's value."""
    if name not in item:
        return None
    return canonical_text({name: item[name]}, [name]).removeprefix(f"{json_text(name)}:")


def _short(first: str | None, second: str | None) -> tuple[str | None, str | None]:
    """Long values from a little before the place where they differ."""
    if first is None or second is None:
        return _cut(first, 0), _cut(second, 0)
    pairs = enumerate(zip(first, second, strict=False))
    same = next((place for place, (a, b) in pairs if a != b), min(len(first), len(second)))
    start = max(0, same - CONTEXT) if max(len(first), len(second)) > SHOWN else 0
    return _cut(first, start), _cut(second, start)


def _cut(text: str | None, start: int) -> str | None:
    if text is None:
        return None
    before, behind = "…" * (start > 0), "…" * (len(text) > start + SHOWN)
    return f"{before}{text[start : start + SHOWN]}{behind}"
