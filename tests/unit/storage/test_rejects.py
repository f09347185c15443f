import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest

from loader.items.digest import digest
from loader.storage.location import Location
from loader.storage.rejects import ITEM_CHARACTERS, Rejects, RejectShard

KEY = '"user_id":{"S":"é\\""}'
LINE = {"run": "r", "export": "e", "partition": 3, "key": {"user_id": {"S": 'é"'}}, "reason": "bad"}


def rejects(folder: Path) -> Rejects:
    return Rejects(Location(str(folder)), "r", "e")


def lines(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text().splitlines()]


def test_a_rejected_item_is_listed_with_its_item_or_the_digest_of_a_large_one(
    tmp_path: Path,
) -> None:
    fits = f'{KEY},"v":{{"S":"{"x" * (ITEM_CHARACTERS - len(KEY) - 13)}"}}'
    bulky_attributes = fits.replace("x", "xx", 1)
    with rejects(tmp_path).shard("p") as part:
        part.rejected(3, KEY, 2, "bad", fits)
        part.rejected(3, KEY, None, "bad", bulky_attributes)
        part.rejected(3, KEY, 7, "bad", None)

    assert (len(fits), part.file) == (ITEM_CHARACTERS, "p")
    assert lines(tmp_path / "rejects" / "p") == [
        {**LINE, "kind": "rejected", "rows": 2, "item": json.loads(f"{{{fits}}}")},
        {**LINE, "kind": "rejected", "rows": None, "item_digest": digest(bulky_attributes).hex()},
        {**LINE, "kind": "rejected", "rows": 7, "item_digest": None},
    ]


def test_what_was_not_sent_is_listed_with_the_digest_that_the_changeset_has(tmp_path: Path) -> None:
    with rejects(tmp_path).shard("p") as part:
        part.not_sent(3, KEY, "bad", KEY)

    assert lines(tmp_path / "rejects" / "p") == [
        {**LINE, "kind": "not_sent", "rows": None, "item_digest": digest(KEY).hex()}
    ]


def test_a_part_without_rejects_is_no_file(tmp_path: Path) -> None:
    with rejects(tmp_path).shard("p") as part:
        pass

    assert (part.file, os.listdir(tmp_path)) == (None, [])


def reject_and_break_off(part: RejectShard) -> None:
    with part:
        part.not_sent(3, KEY, "bad", KEY)
        raise OSError("the worker was killed")


def test_an_attempt_that_breaks_off_leaves_no_part(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="the worker was killed"):
        reject_and_break_off(rejects(tmp_path).shard("p"))

    assert os.listdir(tmp_path / "rejects") == []


def test_the_parts_that_count_are_joined_behind_the_lines_and_replace_what_was_there(
    tmp_path: Path,
) -> None:
    all_ = rejects(tmp_path)
    for name in ("first", "of a lost attempt", "last"):
        with all_.shard(name) as part:
            part.not_sent(3, KEY, name, KEY)
    keyless = all_.line("rejected", None, None, 5, "key column k must not be NULL, got NULL")
    all_.join(["first"])

    all_.join(["first", "last"], [keyless])

    written = lines(tmp_path / "rejects.jsonl")
    assert written[0] == keyless
    assert [line["reason"] for line in written[1:]] == ["first", "last"]
    assert stat.S_IMODE((tmp_path / "rejects.jsonl").stat().st_mode) == 0o600


def test_a_run_without_rejects_has_an_empty_list(tmp_path: Path) -> None:
    rejects(tmp_path).join([])

    assert (tmp_path / "rejects.jsonl").read_text() == ""
