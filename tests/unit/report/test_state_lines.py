"""`loader state show`, from real files."""

import json
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

from loader import cli
from loader.report.state_lines import state_lines
from loader.report.status import read_status
from loader.settings import Settings
from loader.storage.location import Location
from loader.storage.state_file import State, commit, read_state
from loader.storage.state_part import StatePart

NOW = datetime(2026, 1, 9, 12, 0, tzinfo=timezone.utc)
IDENTITY = {
    "name": "user_items",
    "region": "eu-west-1",
    "endpoint": "https://dynamodb.example",
    "arn": "arn:x",
    "table_id": "7f",
    "created": "2026-01-02",
    "exists": True,
}
STATE = State(
    12,
    "2026-01-09T05-00-00-000Z-7f3a",
    "user_items",
    IDENTITY,
    (("user_id", "S"), ("part", "N")),
    30,
    1,
    {"user_id": "S", "part": "N", "items": "L"},
    "2026-01-09T05:00:00Z",
    tuple(StatePart(n, f"adopted/{n}.arrow", 700, "00") for n in range(2)),
)
LINES = [
    "user_items   state 12, committed 7 h ago",
    "  committed  2026-01-09T05:00:00Z by run 2026-01-09T05-00-00-000Z-7f3a",
    "  table      arn:x at https://dynamodb.example (created 2026-01-02, id 7f)",
    "  keys       1,400 in 2 files, 2 KB",
    "  key        user_id (S), part (N)",
    "  attributes user_id (S), part (N), items (L)",
    "  partitions 30",
    "  encoding   1",
    "  lock       none",
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for number in range(2):
        Location(str(tmp_path / "user_items/adopted")).write(f"{number}.arrow", bytes(1_024))
    return tmp_path / "user_items"


def shown(folder: Path, state: State) -> list[str]:
    location = Location(str(folder))
    commit(location, state, None)
    read, _ = read_state(location)
    assert read == state
    return state_lines(read_status(Settings(storage=str(folder.parent)), location), state, NOW)


def test_a_state_is_shown_with_its_table_its_keys_and_its_age(folder: Path) -> None:
    assert shown(folder, STATE) == [*LINES, f"  file       {folder}/current.json"]


def test_a_state_of_another_encoding_says_what_the_next_load_does(folder: Path) -> None:
    lines = shown(folder, replace(STATE, encoding=99, adopted=True))

    assert lines[0] == "user_items   state 12, adopted from the table 7 h ago"
    assert lines[7] == "  encoding   99, and this loader has 1: the next load puts every item"


def test_a_state_is_printed_as_json_with_the_same_facts(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    commit(Location(str(folder)), STATE, None)

    assert cli.main(["state", "show", "user_items", "--json", "--storage", str(folder.parent)]) == 0
    facts: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert facts == {
        "serial": 12,
        "run": "2026-01-09T05-00-00-000Z-7f3a",
        "export": "user_items",
        "identity": IDENTITY,
        "key": [["user_id", "S"], ["part", "N"]],
        "partitions": 30,
        "encoding": 1,
        "attributes": {"user_id": "S", "part": "N", "items": "L"},
        "committed": "2026-01-09T05:00:00Z",
        "parts": 2,
        "adopted": False,
        "rows": 0,
        "schema": 1,
        "keys": 1_400,
        "bytes": 2_048,
        "lock": None,
        "in_doubt": 0,
        "unfinished": [],
        "next_command": "",
    }


def test_an_export_without_a_state_is_refused_with_the_ways_to_get_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    begun = replace(STATE, serial=0, run="", identity={}, parts=(), unfinished=("r1",), begins=1)
    show = ["state", "show", "user_items", "--storage", str(tmp_path)]

    codes = [cli.main(show)]
    first = capsys.readouterr().err
    commit(Location(str(tmp_path / "user_items")), begun, None)
    codes.append(cli.main(show))

    assert (codes, capsys.readouterr().err) == ([2, 2], first)
    assert first == (
        "1 problem with export user_items, nothing was written\n"
        f"  1  export user_items must have a state in {tmp_path}/user_items, got none: give the "
        "--storage of its loads, or take what the table has with `loader state adopt user_items`\n"
    )


def test_the_status_of_every_export_is_printed_and_decides_the_exit_code(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    commit(Location(str(folder)), STATE, None)
    status = ["status", "--storage", str(folder.parent)]

    assert cli.main(status) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "user_items   no run has begun to write"

    (folder / "lock.json").write_text("{")
    assert cli.main([*status, "user_items", "--json"]) == 1
    facts = json.loads(capsys.readouterr().out)
    assert (facts["export"], facts["good"], len(facts["problems"])) == ("user_items", False, 1)


def test_a_state_that_is_replaced_while_it_is_read_is_shown_with_its_own_size(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    home = Location(str(folder))
    commit(home, STATE, None)
    original = Location.read_version

    def racing(self: Location, name: str) -> tuple[bytes, str]:
        content = original(self, name)
        monkeypatch.undo()
        commit(home, replace(STATE, serial=13, parts=STATE.parts[:1]), read_state(home)[1])
        (home / "adopted").remove("1.arrow")
        return content

    monkeypatch.setattr(Location, "read_version", racing)

    assert cli.main(["state", "show", "user_items", "--storage", str(folder.parent)]) == 0
    assert capsys.readouterr().out.splitlines()[3] == "  keys       700 in 1 files, 1 KB"
