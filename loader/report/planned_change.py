"""The planned changes of some keys in a kept plan, as a person reads them.

The partition of a key is unknown without the warehouse, so all parts of the changeset are searched.
"""

import json
from base64 import b64decode
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from loader.dynamodb.show import keys_of, readable
from loader.errors import Refused
from loader.items.canonical import canonical_text
from loader.plan.result import Plan
from loader.printable import plain_key, printable
from loader.report.files import REPORT_FILE
from loader.storage.changeset import CHANGES, DELETE, Extent, Part, read_extent, request_attributes
from loader.storage.location import Location


def planned_lines(plan: Plan, folder: Location, texts: Sequence[str]) -> tuple[list[str], int]:
    """Lines of the changes of these keys, and the number of keys without a change.

    A key is `partition key` or `partition key/sort key`; a binary one is in base64.
    """
    names = [name for name, _ in plan.key]
    keys = {text: [canonical_text(k, names) for k in keys_of(text, plan.key)] for text in texts}
    wanted = {key for candidates in keys.values() for key in candidates}
    try:
        changes = {change["key"]: change for change in _changes(plan.parts, folder, wanted)}
    except FileNotFoundError:
        raise Refused(
            f"a plan must have its folder {CHANGES} to show a change, got {folder} without it: "
            f"a complete run removes it; read its {REPORT_FILE}, or plan again"
        ) from None
    lines: list[str] = []
    missing = 0
    for text, candidates in keys.items():
        found = [changes[key] for key in candidates if key in changes]
        if not found:
            lines += [*_gap(lines), f"{printable(text)}: no change is planned"]
            missing += 1
        for change in found:
            lines += [*_gap(lines), *_lines(change, names)]
    return lines, missing


def _changes(
    parts: Sequence[Part], folder: Location, keys: Collection[str]
) -> Iterator[dict[str, Any]]:
    """The changes of these keys; memory holds one record batch."""
    wanted = pa.array(sorted(keys), pa.string())
    for part in parts:
        extent = Extent(part.partition, part.file, 0, len(part.batches))
        for number, batch in enumerate(read_extent(folder / CHANGES, extent, ("key",))):
            if pc.any(pc.is_in(batch.column("key"), wanted)).as_py():
                one = Extent(part.partition, part.file, number, number + 1)
                for whole in read_extent(folder / CHANGES, one):
                    mask = pc.is_in(whole.column("key"), wanted)
                    yield from whole.filter(mask).to_pylist()


def _lines(change: Mapping[str, Any], key: Sequence[str]) -> list[str]:
    title = f"{plain_key(change['key'])}   {kind(change)}"
    if change["op"] == DELETE:
        return [title]
    item = json.loads(f"{{{request_attributes(change['request'])}}}")
    return [title, *readable({name: _from_json(value) for name, value in item.items()}, key)]


def kind(change: Mapping[str, Any]) -> str:
    """What the change does, and what is known of the item that the table has."""
    new, old = change["digest"], change["prior"]
    if change["op"] == DELETE:
        if old is None:
            return "deleted, in doubt: the table may have an item of the key"
        return f"deleted: the model no longer has the key; digest {old.hex()}"
    if not change["in_state"]:
        return f"new: the table has no item of the key that a run wrote; digest {new.hex()}"
    if old is None:
        return f"in doubt: the table may have another item; digest unknown → {new.hex()}"
    if old == new:
        return f"unchanged, put again: digest {new.hex()}"
    return f"changed: digest {old.hex()} → {new.hex()}"


def _from_json(value: Mapping[str, Any]) -> dict[str, Any]:
    """A value of DynamoDB's JSON as boto3 returns it: binary is in bytes."""
    ((type_, content),) = value.items()
    if type_ == "B":
        return {type_: b64decode(content)}
    if type_ == "BS":
        return {type_: list(map(b64decode, content))}
    if type_ == "L":
        return {type_: list(map(_from_json, content))}
    if type_ == "M":
        return {type_: {name: _from_json(entry) for name, entry in content.items()}}
    return {type_: content}


def _gap(lines: Sequence[str]) -> list[str]:
    return [""] if lines else []
