"""The results as a table on the terminal and in docs/clusters-tested.md."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from tests.cluster.run import Result

BEGIN, END = "<!-- cluster:begin -->", "<!-- cluster:end -->"


def lines(results: Sequence[Result]) -> list[str]:
    """One line per case."""
    head = ["case", "Spark", "exit code", "table equals model", "result"]
    rows = [head, *([*_cells(result), "ok" if result.holds else "RED"] for result in results)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]


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
    table = "\n".join([BEGIN, *rows, END])
    text = page.read_text(encoding="utf-8")
    marked = re.compile(f"{re.escape(BEGIN)}.*?{re.escape(END)}", re.DOTALL)
    page.write_text(marked.sub(lambda _: table, text, count=1), encoding="utf-8")


def _cells(result: Result) -> list[str]:
    equal = "yes" if result.equal else "no"
    return [result.case.name, result.spark, str(result.code), equal]
