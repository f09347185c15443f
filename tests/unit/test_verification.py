"""The commands after a verification that found differences."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from loader.report import files
from loader.report.totals import Report
from loader.settings import Settings
from loader.storage.location import Location
from loader.storage.state_file import State, commit
from loader.verification import next_commands
from tests.support.example_report import COMPLETE

NOTE = "3 deletes are held back, because 1 rows have no key and may be theirs: fix the rows"


def loaded(folder: Path, report: Report) -> Settings:
    """The storage of a load of user_items with this report."""
    home = Location(str(folder / "user_items"))
    files.save(replace(report, run="r1"), home / "runs" / "r1")
    key = (("user_id", "S"),)
    commit(home, State(1, "r1", "user_items", {}, key, 1, 1, {}, "2026-01-09", ()), None)
    return Settings(storage=str(folder))


@pytest.mark.parametrize("report", [COMPLETE, replace(COMPLETE, notes=["a note"])])
def test_what_differs_is_adopted_and_then_written(tmp_path: Path, report: Report) -> None:
    commands = next_commands(loaded(tmp_path, report), "user_items")

    storage = f"--storage {tmp_path}"
    assert commands == (
        f"Take what the table has as its state:  loader state adopt user_items {storage}",
        f"Then write what differs:  loader load --export user_items {storage}",
    )


def test_after_deletes_that_were_held_back_the_note_of_their_load_is_first(tmp_path: Path) -> None:
    settings = loaded(tmp_path, replace(COMPLETE, held_back=3, notes=["another", NOTE]))

    assert next_commands(settings, "user_items") == (
        f"The last load left some out:  {NOTE}",
        f"Then write what differs:  loader load --export user_items --storage {tmp_path}",
    )


def test_a_state_that_cannot_be_read_is_adopted(tmp_path: Path) -> None:
    settings = loaded(tmp_path, replace(COMPLETE, held_back=3, notes=[NOTE]))
    (tmp_path / "user_items" / "current.json").write_text(json.dumps({}))

    adopt, _ = next_commands(settings, "user_items")

    assert adopt.startswith("Take what the table has as its state:  loader state adopt user_items")
