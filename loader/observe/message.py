"""What a notification says: a document with the names of report.json, and a summary for people."""

import json
from collections.abc import Collection
from dataclasses import asdict
from typing import Any

from loader.observe.outcomes import COMPLETE, is_wanted
from loader.observe.run_end import ExportEnd, RunEnd
from loader.printable import printable

# SNS takes 256 KB, and a subject of less than 100 characters:
# https://docs.aws.amazon.com/sns/latest/api/API_Publish.html
MOST_EXPORTS, MOST_BYTES, MOST_SUBJECT = 100, 200_000, 99
MOST_TEXT = 10_000
MOST_REASONS = 3


def is_notified(end: RunEnd, words: Collection[str]) -> bool:
    """Whether an export ended in one of these ways, or a signal ended the command."""
    outcomes = [(end.outcome, False, False)] if end.interrupted else []
    outcomes += [(e.outcome, e.guarded, bool(e.deviates)) for e in end.exports]
    return any(is_wanted(words, *outcome) for outcome in outcomes)


def message(end: RunEnd, most: int = MOST_EXPORTS) -> dict[str, Any]:
    """The body with at most so many exports. `text` is what Slack and others show of it."""
    exports = sorted(end.exports, key=lambda export: export.is_complete)
    return {
        "text": text(end),
        "summary": summary(end),
        "command": end.command,
        "run": end.run,
        "outcome": end.outcome,
        "exit_code": end.exit_code,
        "seconds": end.seconds,
        "loader": end.version,
        "exports": [_export(export) for export in exports[:most]],
        "exports_left_out": max(0, len(exports) - most),
    }


def body(end: RunEnd) -> str:
    """The message, with as many exports as `MOST_BYTES` have room for."""
    most = MOST_EXPORTS
    while len(document := json.dumps(message(end, most))) > MOST_BYTES and most:
        most //= 2
    return document


def summary(end: RunEnd) -> str:
    """One line: `user_items INCOMPLETE: 7 of 4,000 changes were not acknowledged (exit code 1)`."""
    bad = [export for export in end.exports if not export.is_complete]
    if len(end.exports) == 1:
        (export,) = end.exports
        head, reasons = _head(export), " and ".join(export.reasons[:MOST_REASONS])
        line = f"{head}: {reasons}" if reasons else head
    elif bad:
        names = ", ".join(_head(export) for export in bad[:MOST_REASONS])
        others = f", and {len(bad) - MOST_REASONS} more" if len(bad) > MOST_REASONS else ""
        line = f"{len(bad)} of {len(end.exports)} exports are not complete: {names}{others}"
    else:
        line = f"{len(end.exports)} exports are complete"
    outcomes = {export.outcome for export in end.exports}
    late = "interrupted, " if end.interrupted and end.outcome not in outcomes else ""
    return f"{line} ({late}exit code {end.exit_code})"


def subject(end: RunEnd) -> str:
    """The summary as SNS allows it: ASCII without control characters, less than 100 of them."""
    line = printable(" ".join(f"loader: {summary(end)}".split()))
    line = line.encode("ascii", "replace").decode()
    return line if len(line) <= MOST_SUBJECT else f"{line[: MOST_SUBJECT - 3]}..."


def text(end: RunEnd) -> str:
    """The summary, and the command that goes on for each export that is not complete."""
    lines = [summary(end)]
    for export in end.exports:
        if export.deviates:
            lines.append(f"{export.export}: {', '.join(export.deviates)} differ from the last runs")
        if export.next_command:
            lines.append(f"{export.next_step}: {export.next_command}")
    whole = "\n".join(lines)
    return whole if len(whole) <= MOST_TEXT else f"{whole[:MOST_TEXT]}…"


def _head(export: ExportEnd) -> str:
    name = export.export or "the run"
    outcome = "complete" if export.outcome == COMPLETE else export.outcome.upper()
    return f"{name} {outcome}"


def _export(export: ExportEnd) -> dict[str, Any]:
    """The facts and the figures; `complete` is a boolean, as in report.json."""
    facts = asdict(export)
    figures = facts.pop("figures")
    return {"complete": export.is_complete, **facts, "missing": export.reasons, **figures}
