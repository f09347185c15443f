"""What a notification says: a document with the names of report.json, and a summary for people."""

import json
from collections.abc import Collection
from dataclasses import asdict
from typing import Any

from loader.observe.outcomes import COMPLETE, is_wanted
from loader.observe.run_end import ExportEnd, RunEnd

MOST_EXPORTS = 100  # SNS takes 256 KB: https://docs.aws.amazon.com/sns/latest/api/API_Publish.html
MOST_SUBJECT = 100
MOST_REASONS = 3


def is_notified(end: RunEnd, words: Collection[str]) -> bool:
    return any(
        is_wanted(words, export.outcome, export.guarded, bool(export.deviates))
        for export in end.exports
    )


def message(end: RunEnd) -> dict[str, Any]:
    """The body. `text` is what Slack and others show of it."""
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
        "exports": [_export(export) for export in exports[:MOST_EXPORTS]],
        "exports_left_out": max(0, len(exports) - MOST_EXPORTS),
    }


def body(end: RunEnd) -> str:
    return json.dumps(message(end))


def summary(end: RunEnd) -> str:
    """One line: `user_items INCOMPLETE: 7 of 4,000 changes were not acknowledged (exit code 1)`."""
    bad = [export for export in end.exports if not export.is_complete]
    if len(end.exports) == 1:
        (export,) = end.exports
        head, reasons = _head(export), " and ".join(export.missing[:MOST_REASONS])
        line = f"{head}: {reasons}" if reasons else head
    elif bad:
        names = ", ".join(_head(export) for export in bad[:MOST_REASONS])
        others = f", and {len(bad) - MOST_REASONS} more" if len(bad) > MOST_REASONS else ""
        line = f"{len(bad)} of {len(end.exports)} exports are not complete: {names}{others}"
    else:
        line = f"{len(end.exports)} exports are complete"
    return f"{line} (exit code {end.exit_code})"


def subject(end: RunEnd) -> str:
    """The summary as SNS allows it: ASCII without line breaks, at most 100 characters."""
    line = " ".join(f"loader: {summary(end)}".split())
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
    return "\n".join(lines[:MOST_EXPORTS])


def _head(export: ExportEnd) -> str:
    name = export.export or "the run"
    outcome = "complete" if export.outcome == COMPLETE else export.outcome.upper()
    return f"{name} {outcome}"


def _export(export: ExportEnd) -> dict[str, Any]:
    """The facts and the figures; `complete` is a boolean, as in report.json."""
    facts = asdict(export)
    figures = facts.pop("figures")
    return {"complete": export.is_complete, **facts, **figures}
