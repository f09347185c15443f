from pathlib import Path

import pytest

from loader.items.split_keys import group_key
from loader.storage.location import Location
from loader.storage.rejects import Rejects
from loader.verify import comparison
from loader.verify.comparison import ReadRejects

KEYS = [f'"user_id":{{"S":"é{n}"}},"part":{{"N":"0"}}' for n in range(50)]


@pytest.mark.parametrize("chunk", [7, 1 << 20])
def test_the_groups_of_rejects_are_those_of_the_keys_of_split_items(
    chunk: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(comparison, "CHUNK_BYTES", chunk)
    folder = Location(str(tmp_path))
    with Rejects(folder, "run", "user_items").shard("plan-0.jsonl") as shard:
        for key in KEYS:
            shard.rejected(0, key, 1, "item must be at most 409600 bytes, got 413805", None)

    batches = list(ReadRejects(folder, ("user_id",))("plan-0.jsonl"))

    groups = [group for batch in batches for group in batch.column("group").to_pylist()]
    assert groups == [group_key(key, "part") for key in KEYS]
    assert groups[0] == '"user_id":{"S":"é0"}'
