"""current.json: what the table of an export holds, because runs of the loader wrote it."""

import json
from dataclasses import asdict, dataclass, fields
from hashlib import blake2b
from typing import Any

from loader.errors import Refused, subject_of
from loader.storage.location import Location
from loader.storage.state_part import CHECKSUM_BYTES, StatePart, remedy

CURRENT_FILE = "current.json"  # in the folder of the export
SCHEMA = 1


@dataclass(frozen=True)
class State:
    """The state of an export, as its last run committed it.

    `serial` counts the commits. `identity` is that of the table (dynamodb/table.py). `key` and
    `attributes` have DynamoDB types by name. `encoding` is items/digest.ENCODING. `committed` is in
    UTC. `adopted`: the parts are from a scan of the table. `unfinished` are the runs that have
    begun to write since, in that order; `begins` counts them, so that each begin is a new version.
    Before the first commit, `serial` is 0 and there is no `run`. `rows_version` is what the hashes
    of rows in the parts depend on; hashes of another version mean nothing. `rows` are those of the
    model in the last run, 0 if they are not known.
    """

    serial: int
    run: str
    export: str
    identity: dict[str, Any]
    key: tuple[tuple[str, str], ...]
    partitions: int
    encoding: int
    attributes: dict[str, str]
    committed: str
    parts: tuple[StatePart, ...]
    adopted: bool = False
    unfinished: tuple[str, ...] = ()
    begins: int = 0
    rows_version: str = ""
    rows: int = 0
    schema: int = SCHEMA

    @property
    def keys(self) -> int:
        """The number of keys that the table holds."""
        return sum(part.keys for part in self.parts)


def read_state(folder: Location) -> tuple[State | None, str | None]:
    """State and version in the folder of an export; two None before the first commit.

    Raises Refused, naming the file, if it is damaged or of another version of the loader.
    """
    try:
        content, version = folder.read_version(CURRENT_FILE)
    except FileNotFoundError:
        return None, None
    try:
        return _parsed(json.loads(content)), version
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        value = str(error) if isinstance(error, _Unusable) else "a damaged file"
    rule = f"{folder}/{CURRENT_FILE} must be the state of an export as a load wrote it"
    way_out = remedy(folder)
    problem = f"{rule}, got {value}: {way_out[0].lower()}{way_out[1:]}"
    raise Refused(problem, subject_of([folder.name]))


def commit(folder: Location, state: State, version: str | None) -> str:
    """Replace the state that has this version; None is the first commit. Returns the new version.

    Raises VersionConflict if another run was committed, and CommitUnknown (see Location).
    """
    document = asdict(state)
    content = {"checksum": _checksum(document), **document}
    return folder.replace_version(
        CURRENT_FILE, json.dumps(content, indent=1).encode() + b"\n", version
    )


class _Unusable(ValueError):
    """What the file is instead."""


def _parsed(document: Any) -> State:
    """The state; raises ValueError, TypeError, KeyError or AttributeError if it is none."""
    checksum = document.pop("checksum")
    if checksum != _checksum(document):
        raise ValueError
    # The checksum is right, so this loader or another version wrote the file.
    if document.get("schema") != SCHEMA:
        raise _Unusable(f"schema {document.get('schema')}, not {SCHEMA}")
    if document.keys() != {field.name for field in fields(State)}:
        raise _Unusable("a file of another version of the loader")
    document["key"] = tuple((name, kind) for name, kind in document["key"])
    document["parts"] = tuple(StatePart(**part) for part in document["parts"])
    document["unfinished"] = tuple(document["unfinished"])
    return State(**document)


def _checksum(document: dict[str, Any]) -> str:
    text = json.dumps(document, sort_keys=True, separators=(",", ":"))
    return blake2b(text.encode(), digest_size=CHECKSUM_BYTES).hexdigest()
