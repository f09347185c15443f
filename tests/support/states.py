"""The state of an export, as a load would have written it."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict

import pyarrow as pa

from loader.dynamodb.identity import TableIdentity
from loader.items.delta import STATE
from loader.items.digest import ENCODING, digest
from loader.storage.location import Location
from loader.storage.state_file import State, commit
from loader.storage.state_part import StatePart, write_state_part

COMMITTED = "2026-01-02T03:04:05Z"


def write_state(
    export: Location,
    identity: TableIdentity,
    key: Sequence[tuple[str, str]],
    partitions: Sequence[Mapping[str, str]],
    run: str = "2026-01-02T03-04-05-000Z-7f3a",
) -> State:
    """Commit a table that has, in each partition, these items: attributes by key, both as JSON."""
    parts = []
    for partition, items in enumerate(partitions):
        texts = [f"{key}{attributes}" for key, attributes in items.items()]
        rows = pa.record_batch(
            [
                pa.array([*items], pa.string()),
                pa.array([*map(digest, texts)], pa.binary(16)),
                pa.array([*map(len, texts)], pa.int32()),
                pa.nulls(len(texts), pa.int64()),
            ],
            schema=STATE,
        )
        folder, file = f"runs/{run}/state", f"{partition:05d}-0.arrow"
        keys, checksum = write_state_part(export / folder, file, [rows])
        parts.append(StatePart(partition, f"{folder}/{file}", keys, checksum))
    state = State(
        serial=1,
        run=run,
        export=export.name,
        identity=asdict(identity),
        key=tuple(key),
        partitions=len(partitions),
        encoding=ENCODING,
        attributes={},
        committed=COMMITTED,
        parts=tuple(parts),
    )
    commit(export, state, None)
    return state
