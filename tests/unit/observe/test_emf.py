import json
from dataclasses import replace

import pytest

from loader.errors import Guarded, PlanFailed, Refused
from loader.interruption import Interrupted
from loader.observe import emf
from loader.observe.figures import OF_EVERY_RUN, OF_REPORT, UNITS
from loader.observe.run_end import run_end
from loader.report.journal import Journal
from loader.report.totals import Report
from tests.support.emf_schema import metrics_of
from tests.support.example_plan import partition, planned
from tests.support.example_report import COMPLETE

COMPARED = replace(COMPLETE, rows_deviation=1.5, changes_deviation=-2.0, deletes_deviation=0.0)


def journal_of(report: Report) -> Journal:
    return Journal(tables={report.export: report.table}, results={report.export: report})


def test_a_report_has_all_metrics_with_the_values_of_its_fields() -> None:
    (line,) = emf.lines(run_end(journal_of(COMPARED), "load", [], None), 0)

    dimensions, metrics = metrics_of(line)
    document = COMPARED.to_dict()
    assert dimensions == [["export"], ["export", "table"]]
    assert set(metrics) == set(UNITS)
    assert {name: metrics[name] for name in OF_REPORT} == {n: document[n] for n in OF_REPORT}
    assert {name: metrics[name] for name in OF_EVERY_RUN} == {
        **dict.fromkeys(("runs", "complete"), 1),
        **dict.fromkeys(("incomplete", "refused", "guarded", "failed", "interrupted"), 0),
        **dict.fromkeys(("deviates", "undelivered", "exit_code"), 0),
        "seconds": COMPARED.seconds,
    }


def test_a_field_that_is_null_is_no_metric() -> None:
    (line,) = emf.lines(run_end(journal_of(COMPLETE), "load", [], None), 0)

    missing = set(UNITS) - set(metrics_of(line)[1])
    assert missing == {"rows_deviation", "changes_deviation", "deletes_deviation"}


@pytest.mark.parametrize(
    ("error", "outcome", "code"),
    [
        (Refused("no dbt project"), "refused", 2),
        (PlanFailed("cannot read"), "failed", 1),
        (Interrupted(15), "interrupted", 143),
        (KeyError("bug"), "failed", 1),
    ],
)
def test_a_run_without_a_report_has_the_metrics_of_every_run(
    error: BaseException, outcome: str, code: int
) -> None:
    (line,) = emf.lines(run_end(Journal(), "load", ["user_items"], error), 1)

    dimensions, metrics = metrics_of(line)
    assert dimensions == [["export"]]
    assert set(metrics) == set(OF_EVERY_RUN)
    ends = ("complete", "incomplete", "refused", "failed", "interrupted", "guarded")
    assert {name for name in ends if metrics[name]} == {outcome}
    assert (metrics["exit_code"], metrics["undelivered"], metrics["runs"]) == (code, 1, 1)


def test_a_plan_that_is_refused_has_the_metrics_of_the_plan_and_of_the_guard() -> None:
    journal = Journal()
    journal.add_plan(replace(planned(partition(0, 10, deletes=5, unchanged=5)), has_state=True))

    (line,) = emf.lines(run_end(journal, "load", [], Guarded("too many")), 0)

    dimensions, metrics = metrics_of(line)
    assert dimensions == [["export"], ["export", "table"]]
    assert (metrics["deletes"], metrics["new"], metrics["rows"]) == (5, 10, 45)
    assert (metrics["guarded"], metrics["refused"], metrics["complete"]) == (1, 1, 0)
    assert "put" not in metrics


def test_a_run_whose_exports_are_unknown_has_no_dimension() -> None:
    (line,) = emf.lines(run_end(Journal(), "load", [], Refused("no dbt project")), 0)

    assert metrics_of(line)[0] == [[]]


def test_each_export_of_a_run_has_its_line() -> None:
    journal = journal_of(COMPLETE)
    journal.tables |= {"other": "others"}

    lines = emf.lines(run_end(journal, "load", [], PlanFailed("x")), 0)

    values = [metrics_of(line)[1] for line in lines]
    assert [(v["complete"], v["failed"], v["exit_code"]) for v in values] == [(1, 0, 1), (0, 1, 1)]


def test_a_line_stays_small_enough_for_a_log_whatever_a_run_is_refused_for() -> None:
    problems = [f"{number} " + "x" * 5_000 for number in range(3_000)]

    (line,) = emf.lines(run_end(Journal(), "load", ["user_items"], Refused(problems)), 0)

    assert metrics_of(line)[1]["refused"] == 1
    assert len(line) < 16_000
    missing = json.loads(line)["missing"]
    assert [text[:4] for text in missing[:2]] == ["0 xx", "1 xx"]
    assert (len(missing), missing[-1], missing[0][-2:]) == (11, "2,990 more", "x…")
