"""plan, load, apply: the commands that make changes and send them."""

import argparse
import json
from collections.abc import Callable
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from loader.errors import COMPLETE, INCOMPLETE, LoaderError, Refused, subject_of
from loader.verbs.given import settings_of
from loader.verbs.observed import observed
from loader.verbs.screen import print_lines, save_imports, show_error, show_report

if TYPE_CHECKING:
    from loader.plan.result import Plan
    from loader.report.totals import Report
    from loader.storage.state_file import State


def plan(options: argparse.Namespace) -> int:
    settings = settings_of(options)
    save_imports(settings)
    from loader import checks, run
    from loader.plan.guards import guard_problems
    from loader.report.plan_lines import plan_facts, plan_lines

    codes = [COMPLETE]

    def ended(plan: "Plan | LoaderError") -> None:
        if isinstance(plan, LoaderError):
            show_error(plan, options)
            codes.append(plan.exit_code)
            return
        folder = str(checks.run_folder(settings, plan.export, plan.run))
        if options.json:
            print(json.dumps(plan_facts(plan, folder)))
        else:
            print_lines(plan_lines(plan, folder, datetime.now(timezone.utc)))
        rejects = plan.keyless_rows + plan.rejected_items
        codes.append(INCOMPLETE if rejects > settings.max_rejects else COMPLETE)
        allowed = settings.allow_deletes, settings.allow_changes
        if problems := guard_problems(plan.guard_facts, plan.limits, *allowed):
            ended(Refused(problems, subject_of([plan.export])))

    run.plan(settings, options.export, ended)
    return max(codes)


def load(options: argparse.Namespace) -> int:
    codes = [COMPLETE]
    with observed(options, "load", options.export) as journal:
        from loader import run

        run.load(journal, options.export, _showing(options, codes))
    return max(codes)


def apply(options: argparse.Namespace) -> int:
    codes = [COMPLETE]
    with observed(options, "apply", _export_of(options.folder)) as journal:
        from loader import run
        from loader.storage.location import Location

        folder, ended = Location(options.folder), _showing(options, codes)
        run.apply(journal, folder, options.given, ended)
    return max(codes)


def _export_of(folder: str) -> list[str]:
    """The export that the folder of a run names: STORAGE/EXPORT/runs/RUN."""
    parts = folder.rstrip("/").split("/")
    return parts[-3:-2] if parts[-2:-1] == ["runs"] else []


def resume(options: argparse.Namespace) -> int:
    codes = [COMPLETE]
    with observed(options, "resume", [options.name]) as journal:
        from loader import run

        ended = _showing(options, codes)
        state = run.resume(journal, options.name, options.given, ended)
    if state:
        _show_nothing(state, options.json)
    return max(codes)


def _show_nothing(state: "State", as_json: bool) -> None:
    """Print that there is nothing to resume: the last run is committed."""
    export, run, serial = state.export, state.run, state.serial
    if as_json:
        facts = {"export": export, "run": run, "serial": serial, "nothing_to_resume": True}
        print(json.dumps(facts))
    else:
        print_lines([f"{export}   nothing to resume: run {run} is committed (serial {serial})"])


def _showing(
    options: argparse.Namespace, codes: list[int]
) -> Callable[["Report | LoaderError"], None]:
    """Print each report, or why there is none, and add its exit code."""

    def ended(report: "Report | LoaderError") -> None:
        if isinstance(report, LoaderError):
            show_error(report, options)
            codes.append(report.exit_code)
        else:
            codes.append(show_report(report, options.json))

    return ended
