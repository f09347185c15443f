"""The runs of an export, as the files in its folder tell them; none of them is trusted."""

import json
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeGuard

from loader.errors import StorageFailed
from loader.report.files import PAGE_FILE, REPORT_FILE
from loader.report.totals import SCHEMA
from loader.storage.changeset import CHANGES
from loader.storage.location import Location
from loader.storage.not_written import NOT_WRITTEN, PLAN_ONLY, read_not_written
from loader.storage.slice_outcome import APPLIED
from loader.storage.state_part import STATE_PARTS
from loader.storage.unfinished import COMMITTED, PLAN_FILE, RUNS

COMPLETE, INCOMPLETE = "complete", "INCOMPLETE"
UNENDED, PLANNED, UNREADABLE = "did not end", "planned", "not readable"
NO_REPORT, ADOPTED = "no report", "adopted"
REFUSED, FAILED = "REFUSED", "FAILED"  # before the first write
MOST = 30  # runs; `keep_runs` may be larger, and incomplete runs are not removed
READERS = 8  # each waits for S3
# The fields of a report that are shown.
FIGURES = (
    *("rows", "items", "put", "deleted", "unchanged", "rejected", "not_sent"),
    *("write_units", "seconds"),
)
TEXTS = ("model", "table", "next_step", "next_command")
MOST_FIGURE = 1e15


@dataclass(frozen=True)
class PastRun:
    """`report` is its report.json; None if there is none that can be read, and `note` says why.

    `next_step` and `next_command` go on after a run that wrote nothing.
    """

    run: str
    outcome: str
    report: Mapping[str, Any] | None = None
    page: bool = False
    note: str = ""
    next_step: str = ""
    next_command: str = ""

    @property
    def has_begun(self) -> bool:
        """Whether it is more than a plan, and no adoption, as far as its files tell."""
        return self.counts and self.outcome != ADOPTED and not self.has_failed

    @property
    def has_failed(self) -> bool:
        """Whether it was refused or failed before its first write."""
        return self.outcome in (REFUSED, FAILED)

    @property
    def counts(self) -> bool:
        """Whether the status of the export depends on it: it is more than a plan that was kept."""
        return self.outcome not in (PLANNED, NO_REPORT)


def past_runs(folder: Location, which: slice = slice(MOST)) -> list[PastRun]:
    """Runs of an export, the newest first; a name begins with the time of its start.

    A run that is removed meanwhile is left out.
    """
    runs = folder / RUNS
    names = sorted(runs.folders(), reverse=True)[which]
    with ThreadPoolExecutor(READERS) as readers:
        found = list(readers.map(lambda name: past_run(runs / name), names))
    if any(run.outcome in (UNENDED, UNREADABLE) for run in found):
        left = set(runs.folders())
        found = [run for run in found if run.run in left]
    return found


def past_run(folder: Location) -> PastRun:
    """A run, as the files in its folder tell it."""
    try:
        files = set(folder.files())
        if REPORT_FILE not in files:
            return _without_report(folder, files)
        report = _document(folder)
        is_complete, is_ours = report.get("complete"), report.get("schema") == SCHEMA
        if is_ours:
            _require_fields(report)
    except StorageFailed as error:
        return PastRun(folder.name, UNREADABLE, note=error.cause)
    except (ValueError, FileNotFoundError) as error:
        return PastRun(folder.name, UNREADABLE, note=str(error))
    known = {True: COMPLETE, False: INCOMPLETE}
    outcome = known[is_complete] if isinstance(is_complete, bool) else UNREADABLE
    if is_ours:
        note = " and ".join(map(str, report["missing"]))
        return PastRun(folder.name, outcome, report, PAGE_FILE in files, note)
    note = f"{REPORT_FILE} has schema {report.get('schema')}, not {SCHEMA}"
    return PastRun(folder.name, outcome, None, PAGE_FILE in files, note)


def committed_run(run: str, is_adoption: bool) -> PastRun:
    """A run without a report that was committed."""
    if is_adoption:
        return PastRun(run, ADOPTED, note="the state is what the table had")
    return PastRun(run, UNENDED, note="after its commit: all its changes are written")


def _without_report(folder: Location, files: set[str]) -> PastRun:
    if COMMITTED in files:
        return committed_run(folder.name, is_adoption=PLAN_FILE not in files)
    if NOT_WRITTEN in files:  # an apply that begins removes it
        return _not_written(folder)
    folders = folder.folders()
    if PLAN_FILE in files and APPLIED in folders:
        note = "in the apply: some of its changes may be written"
        return PastRun(folder.name, UNENDED, note=note)
    if PLAN_FILE not in files and PLAN_ONLY in files:
        note = "a plan that has not ended: it writes no item"
        return PastRun(folder.name, PLANNED, note=note)
    if PLAN_FILE not in files:
        return PastRun(folder.name, UNENDED, note="in the plan: nothing was written")
    if CHANGES in folders or STATE_PARTS in folders:  # a plan may have no changes
        if PLAN_ONLY in files:
            return PastRun(folder.name, PLANNED, note="not applied")
        note = "between its plan and its apply: nothing was written"
        return PastRun(folder.name, UNENDED, note=note)
    note = "a plan that was not applied, or a run that did not end; its changeset is removed"
    return PastRun(folder.name, NO_REPORT, note=note)


def _not_written(folder: Location) -> PastRun:
    try:
        record = read_not_written(folder)
    except ValueError as error:
        raise ValueError(f"{NOT_WRITTEN} {error}") from None
    return PastRun(
        folder.name,
        REFUSED if record.refused else FAILED,
        note=" and ".join(record.problems),
        next_step=record.next_step,
        next_command=record.next_command,
    )


def _document(folder: Location) -> dict[str, Any]:
    """The report of a run; raises `ValueError` with what is wrong with it."""
    try:
        document = json.loads(folder.read(REPORT_FILE))
    except (ValueError, RecursionError):
        raise ValueError(f"{REPORT_FILE} is damaged: it is not JSON") from None
    if not isinstance(document, dict):
        raise ValueError(f"{REPORT_FILE} is damaged: it is not an object")
    return document


def _require_fields(report: Mapping[str, Any]) -> None:
    """Raise `ValueError` if a field that is shown is missing or of another type."""
    wrong = [name for name in FIGURES if not is_figure(report.get(name))]
    wrong += [name for name in TEXTS if not isinstance(report.get(name), str)]
    wrong += [] if isinstance(report.get("complete"), bool) else ["complete"]
    wrong += [] if isinstance(report.get("missing"), list) else ["missing"]
    if wrong:
        raise ValueError(f"{REPORT_FILE} is damaged: {', '.join(wrong)}")


def is_figure(value: Any) -> TypeGuard[float]:
    """Whether it is a number that a run may have: JSON may have NaN and infinity."""
    return isinstance(value, (int, float)) and 0 <= value <= MOST_FIGURE
