"""The results of a harness: each when its case has ended, then as a report and as tables."""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeVar


class Result(Protocol):
    @property
    def green(self) -> bool: ...


Played = TypeVar("Played", bound=Result)


def timed(name: str, play: Callable[[], Played]) -> Played:
    """Play a case; print how long it took, and its result unless it is green."""
    started = time.monotonic()
    result = play()
    verdict = "ok" if result.green else f"RED {result}"
    print(f"{name}: {verdict}, {time.monotonic() - started:.1f} s", file=sys.stderr)
    return result


def write_report(report: Path, rows: Iterable[dict[str, Any]]) -> None:
    report.parent.mkdir(exist_ok=True)
    report.write_text(json.dumps(list(rows), indent=1) + "\n")


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """One line per row, with columns as wide as their longest cell."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]


def write_between(page: Path, begin: str, end: str, rows: Iterable[str]) -> None:
    """Replace the table between two markers of the page."""
    table = "\n".join([begin, *rows, end])
    text = page.read_text(encoding="utf-8")
    marked = re.compile(f"{re.escape(begin)}.*?{re.escape(end)}", re.DOTALL)
    page.write_text(marked.sub(lambda _: table, text, count=1), encoding="utf-8")
