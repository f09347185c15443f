"""The changes of an unfinished run of which no answer is known."""

import json
from collections.abc import Iterator
from itertools import islice

from loader.storage.changeset import CHANGES, DELETE, read_extent
from loader.storage.unfinished import Unfinished

LIST_FILE = "in_doubt.jsonl"  # in the folder of the run


def changes_in_doubt(unfinished: Unfinished) -> int:
    """How many changes are in slices that did not end."""
    return sum(piece.changes for piece in unfinished.open_slices)


def keys_in_doubt(unfinished: Unfinished) -> Iterator[tuple[int, str, str]]:
    """Partition, `put` or `delete`, and key of each; memory holds one record batch."""
    for piece in unfinished.open_slices:
        for extent in piece.extents:
            for batch in read_extent(unfinished.folder / CHANGES, extent, ("op", "key")):
                columns = (batch.column("op").to_pylist(), batch.column("key").to_pylist())
                for op, key in zip(*columns, strict=True):
                    yield extent.partition, "delete" if op == DELETE else "put", key


def key_examples(unfinished: Unfinished, most: int) -> list[str]:
    """Some of the keys; none if the changeset is gone."""
    try:
        return [key for _, _, key in islice(keys_in_doubt(unfinished), most)]
    except FileNotFoundError:
        return []


def list_in_doubt(unfinished: Unfinished) -> None:
    """Create or replace the list of all keys in doubt, one JSON line per key."""
    with unfinished.folder.replace(LIST_FILE) as stream:
        for partition, op, key in keys_in_doubt(unfinished):
            line = {"run": unfinished.run, "partition": partition, "op": op}
            # ASCII, so that a lone surrogate of a key cannot break the file.
            stream.write(json.dumps({**line, "key": json.loads(f"{{{key}}}")}).encode() + b"\n")
