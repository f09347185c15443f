import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest

from loader.items.digest import digest
from loader.storage.location import Location
from loader.storage.rejects import ITEM_CHARACTERS, Rejects

KEY = '"user_id":{"S":"é\\""}'
LINE = {"run": "r", "export": "e", "partition": 3, "key": {"user_id": {"S": 'é"'}}, "reason": "bad"}


def rejects(folder: Path) -> Rejects:
    return Rejects(Location(str(folder)), "r", "e")


def lines(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text().splitlines()]


def test_a_rejected_item_is_listed_whole_or_by_digest_if_it_is_large(
    tmp_path: Path,
) -> None:
    fits = f'{KEY},"v":{{"S":"{"x" * (ITEM_CHARACTERS - len(KEY) - 13)}"}}'
    too_long = fits.replace("x", "xx", 1)
    with rejects(tmp_path).shard("p") as shard:
        shard.rejected(3, KEY, 2, "bad", fits)
        shard.rejected(3, KEY, None, "bad", too_long)
        shard.rejected(3, KEY, 7, "bad", None)

    assert (len(fits), shard.file) == (ITEM_CHARACTERS, "p")
    assert lines(tmp_path / "rejects" / "p") == [
        {**LINE, "kind": "rejected", "rows": 2, "item": json.loads(f"{{{fits}}}")},
        {**LINE, "kind": "rejected", "rows": None, "item_digest": digest(too_long).hex()},
        {**LINE, "kind": "rejected", "rows": 7, "item_digest": None},
    ]


def test_a_change_that_was_not_sent_is_listed_by_the_digest_of_its_item(
    tmp_path: Path,
) -> None:
    with rejects(tmp_path).shard("p") as shard:
        shard.not_sent(3, KEY, "bad", KEY)

    assert lines(tmp_path / "rejects" / "p") == [
        {**LINE, "kind": "not_sent", "rows": None, "item_digest": digest(KEY).hex()}
    ]


def test_a_shard_without_rejects_creates_no_file(tmp_path: Path) -> None:
    with rejects(tmp_path).shard("p") as shard:
        pass

    assert (shard.file, os.listdir(tmp_path)) == (None, [])


def reject_and_break_off(folder: Path) -> None:
    with rejects(folder).shard("p") as shard:
        shard.not_sent(3, KEY, "bad", KEY)
        raise OSError("the worker was killed")


def test_an_attempt_that_fails_leaves_no_shard(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="the worker was killed"):
        reject_and_break_off(tmp_path)

    assert os.listdir(tmp_path / "rejects") == []


def test_lines_and_shards_are_joined_in_order_and_replace_an_older_list(
    tmp_path: Path,
) -> None:
    list_ = rejects(tmp_path)
    for name in ("first", "lost attempt", "last"):
        with list_.shard(name) as shard:
            shard.not_sent(3, KEY, name, KEY)
    keyless = list_.line("rejected", None, None, 5, "key column k must not be NULL, got NULL")
    list_.join(["first"])

    list_.join(["first", "last"], [keyless])

    written = lines(tmp_path / "rejects.jsonl")
    assert written[0] == keyless
    assert [line["reason"] for line in written[1:]] == ["first", "last"]
    assert stat.S_IMODE((tmp_path / "rejects.jsonl").stat().st_mode) == 0o600


def test_a_run_without_rejects_has_an_empty_list(tmp_path: Path) -> None:
    rejects(tmp_path).join([])

    assert (tmp_path / "rejects.jsonl").read_text() == ""
