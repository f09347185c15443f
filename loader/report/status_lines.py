"""The output of `loader status` for one export: lines for a terminal, facts for `--json`."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from loader.printable import short_key, shortened
from loader.report import formats
from loader.report.ages import ago, duration
from loader.report.formats import titled
from loader.report.past_runs import FIGURES, PastRun
from loader.report.status import LockStatus, StateStatus, Status, UnfinishedStatus
from loader.storage.lock_file import LOCK_FILE


def status_lines(status: Status, now: datetime) -> list[str]:
    """The verdict, then state, lock, last runs, unfinished runs, and the command that goes on."""
    lines = [
        f"{status.export}   {_verdict(status)}",
        f"  state      {_state(status.state, now) if status.state else _no_state(status)}",
        lock_line(status, now),
        *titled("runs", _run_lines(status.runs) or ["none"]),
        *unfinished_lines(status),
        *titled("problem", status.problems),
    ]
    if status.page:
        lines.append(f"  page       {status.page}")
    if status.next_command:
        lines.append(f"{status.next_step}:  {status.next_command}")
    return lines


def lock_line(status: Status, now: datetime) -> str:
    return f"  lock       {_lock(status.lock, now) if status.lock else _no_lock(status)}"


def unfinished_lines(status: Status) -> list[str]:
    return [line for run in status.unfinished for line in _unfinished(run)]


def status_facts(status: Status) -> dict[str, Any]:
    """The status as a JSON object, in a fixed order."""
    return {
        "export": status.export,
        "folder": status.folder,
        "good": status.is_good,
        "in_doubt": status.in_doubt,
        "state": status.state and asdict(status.state),
        "lock": status.lock and _lock_facts(status.lock),
        "runs": [_run_facts(run) for run in status.runs],
        "unfinished": [
            {**asdict(run), "keys": [json.loads(f"{{{key}}}") for key in run.keys]}
            for run in status.unfinished
        ],
        "problems": list(status.problems),
        "page": status.page,
        "next_command": status.next_command,
    }


def _run_facts(run: PastRun) -> dict[str, Any]:
    report = run.report
    figures = {name: report[name] if report else None for name in FIGURES}
    return {"run": run.run, "outcome": run.outcome, "note": run.note, **figures}


def _lock_facts(lock: LockStatus) -> dict[str, Any]:
    return {**asdict(lock.lock), "age": round(lock.age, 3), "expired": not lock.is_held}


def _verdict(status: Status) -> str:
    last = status.last
    if status.in_doubt:
        return f"IN DOUBT: {status.in_doubt:,} changes may be in the table or not"
    if status.problems:
        return "UNKNOWN: files of the storage cannot be read"
    if last is None:
        return "no run has begun to write"
    return f"{last.outcome}: {last.note}" if last.note else last.outcome


def _state(state: StateStatus, now: datetime) -> str:
    by = "adopted" if state.adopted else "committed"
    return (
        f"serial {state.serial:,}, {state.keys:,} keys, {formats.size(state.bytes)}; "
        f"{by} {ago(state.committed, now)} by run {state.run}"
    )


def _no_state(status: Status) -> str:
    return "unknown" if status.problems else "none: the next load puts every item, deletes none"


def _lock(status: LockStatus, now: datetime) -> str:
    lock, age = status.lock, status.age
    expired = "" if status.is_held else f", expired {duration(age - lock.seconds)} ago"
    return (
        f"id {lock.id}, of {lock.user} on {lock.host} (process {lock.pid}) since "
        f"{ago(lock.since, now)}, renewed {formats.seconds(age)} ago{expired}; run {lock.run}, "
        f"`{lock.command}`"
    )


def _no_lock(status: Status) -> str:
    return "unknown" if any(LOCK_FILE in problem for problem in status.problems) else "none"


def _run_lines(runs: Sequence[PastRun]) -> list[str]:
    width = max((len(run.outcome) for run in runs), default=0)
    return [f"{run.run}  {run.outcome:<{width}}  {_outcome(run)}".rstrip() for run in runs]


def _outcome(run: PastRun) -> str:
    """What is missing, or what a complete run did."""
    report = run.report
    if run.note or not report:
        return shortened(run.note)
    return (
        f"{report['put']:,} put, {report['deleted']:,} deleted, {report['unchanged']:,} unchanged, "
        f"{report['write_units']:,.0f} write units, {formats.seconds(report['seconds'])}"
    )


def _unfinished(run: UnfinishedStatus) -> list[str]:
    counts = (
        (run.written, "written"),
        (run.rejected, "rejected"),
        (run.not_acknowledged, "not acknowledged"),
        (run.in_doubt, "in doubt"),
    )
    words = ", ".join(f"{count:,} {what}" for count, what in counts if count) or "0 written"
    lines = [f"run {run.run}: {words}"]
    if run.other_table:
        lines.append(f"of another table: {run.other_table}")
    if run.keys:
        more = f", … ({len(run.keys)} of {run.in_doubt:,})" if run.in_doubt > len(run.keys) else ""
        lines.append(f"in doubt: {', '.join(map(short_key, run.keys))}{more}")
    lines.append(f"list: {run.listed_in}" if run.listed_in else f"changeset: {run.changeset}")
    return titled("unfinished", lines)
