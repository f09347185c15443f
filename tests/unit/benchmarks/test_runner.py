"""A case that does not have the expected results ends the run."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.case import Case
from benchmarks.night import Night, night
from benchmarks.runner import list_problems, state_bytes
from benchmarks.sink import Contents, Counts
from benchmarks.usage import Usage

COUNTS = Counts(1, 2, 1, 3, 100, 0, 0, 9, "00000000000000aa")


def case(items: int = 3, digest: str = "00000000000000aa") -> Case:
    return Case("ours", 10, items, lambda _: Usage(), contents=lambda: Contents(9, digest))


def test_a_run_with_the_expected_changes_and_table_is_valid() -> None:
    assert list_problems(case(), Usage(), COUNTS) == []


def test_each_reason_why_a_run_is_invalid_is_listed() -> None:
    usage = Usage(code=1, log=Path("log"))
    wrong = replace(COUNTS, malformed=1)
    assert list_problems(case(4, "00000000000000bb"), usage, wrong) == [
        "exit code 1 instead of 0 (log)",
        "3 changes in the sink instead of 4",
        "1 malformed requests",
        "the table is not the model: 9 items with digest 00000000000000aa instead of 9 items with "
        "digest 00000000000000bb",
    ]


def test_the_state_has_the_files_that_the_last_commit_names(tmp_path: Path) -> None:
    for name, size in (("a", 3), ("b", 4), ("old", 100)):
        (tmp_path / name).write_bytes(b"x" * size)
    (tmp_path / "current.json").write_text(json.dumps({"parts": [{"file": "a"}, {"file": "b"}]}))
    assert state_bytes(tmp_path) == 7


@pytest.mark.parametrize(
    ("users", "expected"), [(499_125, Night(4_991, 2_496, 2_496)), (20, Night(1, 1, 1))]
)
def test_a_night_changes_two_percent_of_the_users(users: int, expected: Night) -> None:
    assert night(users) == expected
    assert night(users).changes == expected.changed + expected.gone + expected.new


def test_contents_of_tables_without_a_common_key_are_added() -> None:
    total = Contents(1, "ffffffffffffffff") + Contents(2, "0000000000000003")
    assert total == Contents(3, "0000000000000002")
