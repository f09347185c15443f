"""An item of a changeset, by its key."""

import json
from typing import Any

import pyarrow.compute as pc

from loader.plan.result import Plan
from loader.storage.changeset import CHANGES, Extent, read_extent
from loader.storage.location import Location


def planned_item(
    plan: Plan, folder: Location, partition: int | None, key: str
) -> dict[str, Any] | None:
    """The item in DynamoDB JSON, from the run's folder; reads the keys of one partition."""
    for part in plan.parts:
        if part.partition != partition:
            continue
        for number in range(len(part.batches)):
            extent = Extent(part.partition, part.file, number, number + 1)
            (keys,) = read_extent(folder / CHANGES, extent, ["key"])
            index = pc.index(keys.column("key"), key).as_py()
            if index >= 0:
                (batch,) = read_extent(folder / CHANGES, extent)
                request = json.loads(batch.column("request")[index].as_py())
                item: dict[str, Any] = request["PutRequest"]["Item"]
                return item
    return None
