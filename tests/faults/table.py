"""The matrix as a table on the terminal and in docs/reliability.md."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tests.faults.matrix import Case, Result
from tests.support.case_results import aligned, write_between

FIELDS = ("fault", "step", "seed", "exit_code", "missing", "stale", "rerun_clean")
BEGIN, END = "<!-- made by make faults -->", "<!-- end of the table made by make faults -->"


def lines(cases: Sequence[Case], results: Sequence[Result]) -> list[str]:
    """One line per fault, the seeds side by side."""
    head = ["step", "fault", "exit code", "missing", "stale", "re-run"]
    return aligned([head, *(_cells(case, results) for case in cases)])


def write_table(page: Path, cases: Sequence[Case], results: Sequence[Result]) -> None:
    """Replace the table between the markers of the page."""
    head = "| Step | Fault | What happens | The loader … | Exit code | Missing | Stale | Re-run |"
    rows = [head, "|---|---|---|---|--:|--:|--:|---|"]
    for case in cases:
        step, fault, *cells = _cells(case, results)
        rows.append(f"| {' | '.join([step, f'`{fault}`', case.event, case.response, *cells])} |")
    write_between(page, BEGIN, END, rows)


def _cells(case: Case, results: Sequence[Result]) -> list[str]:
    of_case = [r for r in results if (r.fault, r.step) == (case.fault, case.step)]
    codes, missing, stale = (
        _distinct([str(getattr(r, name)) for r in of_case])
        for name in ("exit_code", "missing", "stale")
    )
    rerun = "clean" if all(r.rerun_clean for r in of_case) else "NOT CLEAN"
    return [case.step, case.fault, codes, missing, stale, rerun]


def _distinct(values: list[str]) -> str:
    """One value if all seeds agree."""
    return values[0] if len(set(values)) == 1 else ", ".join(values)
