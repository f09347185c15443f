"""The results as a table on the terminal and in docs/clusters-tested.md."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tests.cluster.run import Result
from tests.support.case_results import aligned, write_between

BEGIN, END = "<!-- cluster:begin -->", "<!-- cluster:end -->"


def lines(results: Sequence[Result]) -> list[str]:
    """One line per case."""
    head = ["case", "Spark", "exit code", "table equals model", "result"]
    rows = ([*_cells(result), "ok" if result.green else "RED"] for result in results)
    return aligned([head, *rows])


def write_table(page: Path, results: Sequence[Result]) -> None:
    """Replace the table between the markers of the page."""
    rows = [
        "| Case | What happens | Storage | Spark | Exit code | Table equals model |",
        "|---|---|---|---|--:|---|",
    ]
    for result in results:
        name, spark, code, equal = _cells(result)
        case = result.case
        storage = "`s3://`" if case.storage == "s3" else "a shared folder"
        rows.append(f"| `{name}` | {case.event} | {storage} | {spark} | {code} | {equal} |")
    write_between(page, BEGIN, END, rows)


def _cells(result: Result) -> list[str]:
    equal = "yes" if result.equal else "no"
    return [result.case.name, result.spark, str(result.code), equal]
