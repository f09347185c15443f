from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from loader.errors import StorageFailed
from loader.report import deviation, files
from loader.report.deviation import Deviation, compared, deviations
from loader.report.totals import Report
from loader.storage.location import Location
from tests.support.example_report import COMPLETE, CONTEXT


def document(
    rows: int = 1_000, changes: int = 100, deletes: int = 0, **more: Any
) -> dict[str, Any]:
    counts = {"rows": rows, "changes": changes, "deletes": deletes, "keys_before": 1}
    return {**counts, "settings": {"full": False}, **more}


def strong(current: dict[str, Any], past: list[dict[str, Any]]) -> list[str]:
    return [found.figure for found in deviations(current, past) if found.is_strong]


def test_a_run_like_the_last_ones_does_not_differ_strongly() -> None:
    past = [document(rows) for rows in (990, 1_010, 1_000, 995, 1_005)]

    found = deviations(document(1_020), past)

    assert [(d.figure, d.percent, d.is_strong) for d in found] == [
        ("rows", 2.0, False),
        ("changes", 0.0, False),
        ("deletes", 0.0, False),
    ]


def test_each_figure_is_compared_with_its_mean() -> None:
    past = [document(), *[document(1_002, 110)] * 9]

    found = deviations(document(400, 500, 40), past)

    assert [(d.figure, d.value, round(d.mean, 1), d.runs) for d in found] == [
        ("rows", 400, 1_001.8, 10),
        ("changes", 500, 109.0, 10),
        ("deletes", 40, 0.0, 10),
    ]
    assert [(d.percent, d.is_strong) for d in found] == [(-60.1, True), (358.7, True), (None, True)]


@pytest.mark.parametrize(("runs", "found"), [(4, 0), (5, 3)])
def test_fewer_than_five_runs_are_no_mean(runs: int, found: int) -> None:
    assert len(deviations(document(), [document()] * runs)) == found


def test_only_the_last_ten_runs_count() -> None:
    (rows, *_) = deviations(document(), [document(1_000)] * 10 + [document(9_000)] * 10)

    assert (rows.mean, rows.runs) == (1_000, 10)


@pytest.mark.parametrize(
    ("value", "mean", "spread", "is_strong"),
    [
        (1_100, 1_000, 1, False),  # exactly 10 %
        (1_101, 1_000, 1, True),
        (899, 1_000, 1, True),
        (1_500, 1_000, 200, False),  # within three standard deviations
        (1_601, 1_000, 200, True),
        (9, 0, 0, False),  # fewer than ten
        (10, 0, 0, True),
    ],
)
def test_a_strong_deviation_breaks_all_three_limits(
    value: int, mean: int, spread: int, is_strong: bool
) -> None:
    assert Deviation("rows", value, mean, spread, 10).is_strong is is_strong


def test_equal_runs_leave_room_for_the_chance_of_small_numbers() -> None:
    past = [document(changes=100)] * 10

    assert strong(document(changes=130), past) == []
    assert strong(document(changes=131), past) == ["changes"]


@pytest.mark.parametrize("other", [{"keys_before": 0}, {"settings": {"full": True}}])
def test_a_load_that_puts_every_item_is_compared_by_its_rows_only(other: dict[str, Any]) -> None:
    past = [document()] * 6

    assert [d.figure for d in deviations(document(**other), past)] == ["rows"]
    assert [d.figure for d in deviations(document(), [document(**other)] * 6)] == ["rows"]


def test_a_report_of_another_version_without_a_figure_does_not_count() -> None:
    damaged: list[dict[str, Any]] = [{}, {"rows": "many"}, {"rows": -1}, {"settings": 1}]
    for value in map(float, ("inf", "nan", "1e300")):
        damaged.append({**document(), "rows": value, "changes": value, "deletes": value})

    assert deviations(document(), [*damaged, *[document()] * 4]) == []


@pytest.mark.parametrize(
    ("found", "note"),
    [
        (
            Deviation("deletes", 5_120, 400, 31, 10),
            "deletes: 5,120, 1,180.0 % above the mean of the last 10 runs, 400 ± 31",
        ),
        (
            Deviation("rows", 12, 1_000, 2, 5),
            "rows: 12, 98.8 % below the mean of the last 5 runs, 1,000 ± 2",
        ),
        (Deviation("deletes", 20, 0, 0, 7), "deletes: 20 above the mean of the last 7 runs, 0 ± 0"),
    ],
)
def test_the_note_has_the_numbers(found: Deviation, note: str) -> None:
    assert found.note == note


def save(folder: Path, report: Report) -> None:
    files.save(report, Location(str(folder / "runs" / report.run)))


def test_a_report_is_compared_with_the_complete_runs_before_it(tmp_path: Path) -> None:
    context = replace(CONTEXT, settings={"full": False})
    usual = replace(COMPLETE, keys_before=4_000, keys_after=8_000, context=context)
    for day in range(1, 7):
        save(tmp_path, replace(usual, run=f"2026-01-0{day}"))
    save(tmp_path, replace(usual, run="2026-01-07", put=0, not_sent=4_000))
    save(tmp_path, replace(usual, run="2026-01-09", rows_read=9))
    # Of another target with the same storage.
    few = {"rows_read": 9, "rows_grouped": 9}
    for day in range(1, 7):
        save(tmp_path, replace(usual, run=f"2026-01-0{day}-dev", table="dev_items", **few))
        elsewhere = replace(context, region="us-east-1")
        save(tmp_path, replace(usual, run=f"2026-01-0{day}-us", context=elsewhere, **few))
    current = replace(usual, run="2026-01-08", rows_read=24_000, rows_grouped=24_000, notes=["n"])

    report = compared(current, Location(str(tmp_path)))

    assert (report.rows_deviation, report.changes_deviation, report.deletes_deviation) == (
        100.0,
        0.0,
        0.0,
    )
    assert report.deviates == ["rows"]
    assert report.notes == [
        "n",
        "rows: 24,000, 100.0 % above the mean of the last 6 runs, 12,000 ± 110",
    ]


def test_the_first_runs_have_no_deviation(tmp_path: Path) -> None:
    report = compared(COMPLETE, Location(str(tmp_path)))

    assert report == COMPLETE


def test_a_storage_that_cannot_be_read_is_a_note(monkeypatch: pytest.MonkeyPatch) -> None:
    def past_runs(_: Location) -> None:
        raise StorageFailed("list", "s3://b/x", "Access Denied", "Check the policy")

    monkeypatch.setattr(deviation, "past_runs", past_runs)

    assert compared(COMPLETE, Location("s3://b/x")).notes == [
        "the run is not compared with the last runs: cannot list s3://b/x: Access Denied. Check "
        "the policy"
    ]
