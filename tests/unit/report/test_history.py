import json
import math
import re
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loader.report import files, history
from loader.report.history import INDEX_FILE, history_page
from loader.report.past_runs import COMPLETE as COMPLETE_RUN
from loader.report.past_runs import (
    INCOMPLETE,
    MOST,
    NO_REPORT,
    PLANNED,
    UNENDED,
    UNREADABLE,
    PastRun,
)
from loader.report.past_runs import past_runs as read
from loader.report.totals import SCHEMA, Report
from loader.storage.location import Location
from loader.storage.not_written import PLAN_ONLY
from loader.storage.slice_outcome import NotSent
from tests.support.example_report import COMPLETE
from tests.support.html_reader import Reader

BUSY = [NotSent(5, 7, "busy")]
BROKEN_OFF = replace(COMPLETE, put=3_993, not_sent=7, partitions_not_sent=BUSY)


def save(folder: Path, run: str, report: Report) -> dict[str, Any]:
    files.save(replace(report, run=run), Location(str(folder / "runs" / run)))
    return json.loads(json.dumps(replace(report, run=run).to_dict()))


def write(folder: Path, run: str, **contents: str) -> None:
    """Files of a run; `__` of their names stands for `/`, and `_` for `.`."""
    for name, content in contents.items():
        file = folder / "runs" / run / name.replace("__", "/").replace("_", ".")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content)


PRUNED = "a plan that was not applied, or a run that did not end; its changeset is removed"


def test_the_runs_of_an_export_are_read_from_its_folder_the_newest_first(tmp_path: Path) -> None:
    first = save(tmp_path, "2026-01-01", COMPLETE)
    second = save(tmp_path, "2026-01-02", BROKEN_OFF)
    write(tmp_path, "2026-01-00", plan_json="{}")
    write(tmp_path, "2026-01-03", plan_json="{}", changes__00000_arrow="")
    (tmp_path / "runs/2026-01-03" / PLAN_ONLY).touch()
    write(tmp_path, "2026-01-04", plan_json="{}", applied__slices_json="{}")
    write(tmp_path, "2026-01-05", changes__00000_arrow="")
    write(tmp_path, "2026-01-06", plan_json="{}", committed_json="{}")
    write(tmp_path, "2026-01-07", plan_json="{}", state__00000_arrow="")

    assert read(Location(str(tmp_path))) == [
        PastRun("2026-01-07", UNENDED, note="between its plan and its apply: nothing was written"),
        PastRun("2026-01-06", UNENDED, note="after its commit: all its changes are written"),
        PastRun("2026-01-05", UNENDED, note="in the plan: nothing was written"),
        PastRun("2026-01-04", UNENDED, note="in the apply: some of its changes may be written"),
        PastRun("2026-01-03", PLANNED, note="not applied"),
        PastRun("2026-01-02", INCOMPLETE, second, True, "7 of 4,000 changes were not acknowledged"),
        PastRun("2026-01-01", COMPLETE_RUN, first, True),
        PastRun("2026-01-00", NO_REPORT, note=PRUNED),
    ]


@pytest.mark.parametrize(
    ("content", "note"),
    [
        ("{", "report.json is damaged: it is not JSON"),
        ("", "report.json is damaged: it is not JSON"),
        ("[" * 100_000, "report.json is damaged: it is not JSON"),
        ("[]", "report.json is damaged: it is not an object"),
        ("{}", f"report.json has schema None, not {SCHEMA}"),
        ('{"schema": 1, "complete": []}', f"report.json has schema 1, not {SCHEMA}"),
    ],
)
def test_a_report_that_cannot_be_read_is_named_and_hides_no_other(
    content: str, note: str, tmp_path: Path
) -> None:
    report = save(tmp_path, "2026-01-01", COMPLETE)
    write(tmp_path, "2026-01-02", report_json=content)

    history.save(Location(str(tmp_path)))

    assert read(Location(str(tmp_path))) == [
        PastRun("2026-01-02", UNREADABLE, note=note),
        PastRun("2026-01-01", COMPLETE_RUN, report, True),
    ]
    assert note in (tmp_path / INDEX_FILE).read_text()


WRONG = {
    **{"items": -1, "seconds": None, "write_units": math.inf},
    **{"table": 1, "complete": "yes", "missing": None},
}


def test_a_report_of_another_version_has_an_outcome_and_no_figures(tmp_path: Path) -> None:
    write(tmp_path, "2026-01-01", report_json='{"schema": 1, "complete": true}', report_html="")
    write(tmp_path, "2026-01-02", report_json='{"schema": 9, "complete": false}')

    history.save(Location(str(tmp_path)))

    assert read(Location(str(tmp_path))) == [
        PastRun("2026-01-02", INCOMPLETE, None, False, f"report.json has schema 9, not {SCHEMA}"),
        PastRun("2026-01-01", COMPLETE_RUN, None, True, f"report.json has schema 1, not {SCHEMA}"),
    ]
    assert 'href="runs/2026-01-01/report.html"' in (tmp_path / INDEX_FILE).read_text()


def test_a_report_whose_fields_are_missing_or_of_another_type_is_damaged(tmp_path: Path) -> None:
    report = save(tmp_path, "2026-01-01", COMPLETE)
    del report["put"]
    write(tmp_path, "2026-01-01", report_json=json.dumps({**report, **WRONG}))

    (run,) = read(Location(str(tmp_path)))

    assert run == PastRun(
        "2026-01-01",
        UNREADABLE,
        note="report.json is damaged: items, put, write_units, seconds, table, complete, missing",
    )


def test_an_export_without_a_run_has_no_runs_and_a_page(tmp_path: Path) -> None:
    folder = Location(str(tmp_path / "new"))

    history.save(folder)

    assert read(folder) == []
    text = Reader((tmp_path / "new" / INDEX_FILE).read_text()).text
    assert text == "new: last runs ✗ new: no run has a report Runs None."


def test_only_the_last_runs_are_read(tmp_path: Path) -> None:
    for number in range(MOST + 3):
        write(tmp_path, f"run-{number:02d}", plan_json="{}")

    names = [run.run for run in read(Location(str(tmp_path)))]

    assert names == [f"run-{number:02d}" for number in range(MOST + 2, 2, -1)]


def complete(run: str, **totals: Any) -> PastRun:
    return PastRun(run, COMPLETE_RUN, {**COMPLETE.to_dict(), **NIGHT, **totals}, True)


NIGHT = {"put": 83, "unchanged": 3_917, "deleted": 3}
SHOWN = [
    complete("2026-01-05T02-00"),
    PastRun("2026-01-04T02-00", UNENDED, note="in the apply: some of its changes may be written"),
    PastRun(
        "2026-01-03T02-00",
        INCOMPLETE,
        {**BROKEN_OFF.to_dict(), "unchanged": 0, "deleted": 0},
        True,
        "7 of 4,000 changes were not acknowledged",
    ),
    complete("2026-01-02T02-00", put=4_000, unchanged=0, deleted=0),
]


def test_the_page_begins_with_the_last_report_and_has_a_line_for_each_run() -> None:
    text = Reader(history_page("user_items", SHOWN)).text

    assert text.split(" Over the last")[0] == (
        "user_items: last runs stg_orders → DynamoDB table items ✓ user_items: the last run is "
        "complete 4,000 items: 83 put, 3,917 unchanged, 0 rejected; 3 deleted. "
        "run 2026-01-05T02-00 · 10.0 s in total · 2 of the last 4 runs are complete"
    )
    assert text.split(" Runs ")[1] == (
        "Run State Rows Items Put Deleted Unchanged Rejected Write units Time "
        "2026-01-05T02-00 ✓ complete 12,000 4,000 83 3 3,917 0 4,321 10.0 s "
        "2026-01-04T02-00 ✗ did not end in the apply: some of its changes may be written "
        "2026-01-03T02-00 ✗ INCOMPLETE 12,000 4,000 3,993 0 0 0 4,321 10.0 s "
        "7 of 4,000 changes were not acknowledged "
        "2026-01-02T02-00 ✓ complete 12,000 4,000 4,000 0 0 0 4,321 10.0 s"
    )


def test_the_page_of_an_incomplete_run_begins_with_the_gap_and_the_next_command() -> None:
    text = Reader(history_page("user_items", SHOWN[2:])).text

    assert text.split(" Over the last")[0] == (
        "user_items: last runs stg_orders → DynamoDB table items ✗ user_items: the last run is "
        "INCOMPLETE What is missing 7 of 4,000 changes were not acknowledged Continue with "
        f"{BROKEN_OFF.next_command} "
        "run 2026-01-03T02-00 · 10.0 s in total · 1 of the last 2 runs are complete"
    )


def test_a_run_is_linked_to_its_report_if_it_has_one() -> None:
    hostile = complete('java"script:<')
    links = [a["href"] for a in Reader(history_page("user_items", [*SHOWN, hostile])).all("a")]

    assert links == [
        *(f"runs/{run.run}/report.html" for run in SHOWN if run.page),
        "runs/java%22script%3A%3C/report.html",
    ]


def test_each_figure_has_a_column_per_run_and_a_cross_where_a_run_is_not_complete() -> None:
    page = history_page("user_items", SHOWN)
    reader = Reader(page)

    charts = [a["aria-label"] for a in reader.all("svg") if a.get("role") == "img"]
    assert charts == [
        "rows. last 12,000, at most 12,000",
        "items. last 4,000, at most 4,000",
        "items put. last 83, at most 4,000",
        "items deleted. last 3, at most 3",
        "write units. last 4,321, at most 4,321",
        "seconds. last 10.0 s, at most 10.0 s",
    ]
    assert [str(a["class"]) for a in reader.all("rect")] == 6 * [
        "bar", "bar hollow", "bar hollow", "bar",
    ]  # fmt: skip
    titles = re.findall("<title>(.*?)</title></rect>", page)
    assert titles[8:12] == [
        "2026-01-02T02-00, complete: 4,000",
        "2026-01-03T02-00, INCOMPLETE: 3,993",
        "2026-01-04T02-00, did not end: unknown",
        "2026-01-05T02-00, complete: 83",
    ]


def test_a_plan_is_listed_and_is_not_a_run_that_failed() -> None:
    plan = PastRun("2026-01-06T02-00", PLANNED, note="not applied")
    page = history_page("user_items", [plan, *SHOWN])
    plain = history_page("user_items", SHOWN)

    assert "2026-01-06T02-00 · planned not applied 2026-01-05" in Reader(page).text
    assert Reader(page).all("rect") == Reader(plain).all("rect")
    assert "2 of the last 4 runs are complete" in Reader(page).text


def test_one_report_has_no_charts() -> None:
    reader = Reader(history_page("user_items", SHOWN[:2]))

    assert reader.all("svg") == []


@given(st.lists(st.integers(0, 10**12), min_size=2, max_size=MOST))
def test_a_column_is_never_invisible_and_never_outside_of_the_plot(values: list[int]) -> None:
    runs = [complete(f"run {number}", put=value) for number, value in enumerate(values)]
    bars = list(columns(Reader(history_page("e", runs))))[2 * len(runs) : 3 * len(runs)]

    assert all(
        (height >= 1.5) == (value > 0)
        for (*_, height), value in zip(bars, values[::-1], strict=True)
    )
    assert all(x >= 0 and x + width <= 100.01 and width <= 10 for x, _, width, _ in bars)
    assert all(y >= 0 and y + height == pytest.approx(100) for _, y, _, height in bars)


def columns(reader: Reader) -> Iterator[tuple[float, ...]]:
    for a in reader.all("rect"):
        yield tuple(float(str(a[name]).rstrip("%")) for name in ("x", "y", "width", "height"))


@pytest.mark.parametrize("runs", [SHOWN, SHOWN[2:], SHOWN[1:2], []])
def test_the_page_serves_a_screen_reader_and_loads_nothing(runs: list[PastRun]) -> None:
    page = history_page("user_items", runs)
    reader = Reader(page)

    levels = [int(tag[1]) for tag, _ in reader.elements if re.fullmatch(r"h\d", tag)]
    assert levels[0] == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    assert all(a["scope"] in ("col", "row") for a in reader.all("th"))
    assert {tag for tag, _ in reader.elements} & {"script", "img", "iframe", "object"} == set()
    assert re.findall(r"url\(|@import|expression\(", page) == []
    assert {str(a["href"]) for a in reader.all("link")} == {"data:,"}
    assert "Content-Security-Policy" in {a.get("http-equiv") for a in reader.all("meta")}


@given(st.text(max_size=20) | st.just("\"><script>alert(1)</script><a href='x'>&amp;"))
def test_all_texts_of_files_are_escaped(poison: str) -> None:
    texts = ("model", "table", "next_step", "next_command")
    poisoned = {**SHOWN[2].report, **dict.fromkeys(texts, poison), "missing": [poison]}  # type: ignore[dict-item]
    runs = [replace(SHOWN[2], report=poisoned, note=poison), replace(SHOWN[1], run=f"r{poison}")]

    plain = Reader(history_page("e", [SHOWN[2], SHOWN[1]])).elements
    elements = Reader(history_page(f"e{poison}", runs)).elements

    assert [tag for tag, _ in elements if tag != "tr" and tag != "td"] == [
        tag for tag, _ in plain if tag != "tr" and tag != "td"
    ]
