"""The results as a table on the terminal and in docs/performance.md."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tests.pace.result import Result, percent, seconds
from tests.support.case_results import aligned, write_between

BEGIN, END = "<!-- pace:begin -->", "<!-- pace:end -->"


def lines(results: Sequence[Result]) -> list[str]:
    """One line per case, and below it what does not hold."""
    head = ["case", "allowed", "used", "throttled", "worst 5 s", "followed", "others", "result"]
    rows = [head, *([*_cells(r), "RED" if r.broken else "ok"] for r in results)]
    text = aligned(rows)
    for number, result in reversed(list(enumerate(results, start=1))):
        text[number + 1 : number + 1] = [f"  {problem}" for problem in result.broken]
    return text


def write_table(page: Path, events: Sequence[str], results: Sequence[Result]) -> None:
    """Replace the table between the markers of the page; `events` describe the cases."""
    rows = [
        "| Case | What happens | Must be | Allowed, units/s | Used | Throttled | Most in 5 s |",
        "|---|---|---|--:|--:|--:|--:|",
    ]
    for event, result in zip(events, results, strict=True):
        name, allowed, used, throttled, worst, followed, others = _cells(result)
        must = str(result.rule)
        if followed:
            must += f": {followed}"
        if result.rule.live_throttled < 1:
            must += f": {others}"
        cells = [f"`{name}`", event, must, allowed, used, throttled, worst]
        if result.broken:
            cells[2] += f" (missed: {'; '.join(result.broken)})"
        rows.append(f"| {' | '.join(cells)} |")
    write_between(page, BEGIN, END, rows)


def _cells(result: Result) -> list[str]:
    shares = result.used_share, result.throttled_share, result.worst_5s_share
    others = percent(result.live_throttled) if result.rule.live_throttled < 1 else ""
    followed = seconds(result.followed)
    return [result.case, f"{result.allowed:,.0f}", *map(percent, shares), followed, others]
