"""The record of a run that ended before its first write, and of a plan that breaks a guard."""

from __future__ import annotations

import sys

from loader.errors import LoaderError, Outdated, Refused, StorageFailed, exports_of
from loader.next_command import again_command, apply_command, plan_command
from loader.plan.guards import guard_flags, guard_limits, guard_problems
from loader.plan.result import Plan
from loader.report import history
from loader.settings import Settings
from loader.storage.location import Location
from loader.storage.not_written import NotWritten, save_not_written

GUARD_STEP = "If the model is right, write exactly these changes with"
STEP = "Fix the cause, then"
PLAN_STEP = "Plan again with"


def broken_guards(plan: Plan, settings: Settings) -> list[str]:
    """The problems of the guards that the plan breaks in a run with these settings."""
    limits = guard_limits(plan.limits, settings)
    allowed = settings.allow_deletes, settings.allow_changes
    return guard_problems(plan.guard_facts, limits, *allowed)


def record_failure(
    run: Location,
    error: LoaderError,
    settings: Settings,
    plan: Plan | None = None,
    kept: str = "",
) -> None:
    """Record why a run wrote nothing; `plan` is its plan of the export, if it has one.

    `kept` is the folder of a plan that was kept before. The error itself is printed, so a failure
    of the storage is a warning.
    """
    _save(run, not_written(run.parent.parent.name, error, settings, plan, kept))


def not_written(
    export: str,
    error: LoaderError,
    settings: Settings,
    plan: Plan | None = None,
    kept: str = "",
) -> NotWritten:
    """Why a run wrote nothing for the export, and the command that goes on."""
    problems, refused = _problems(error, export), isinstance(error, Refused)
    if kept and isinstance(error, Outdated):
        return NotWritten(True, problems, PLAN_STEP, plan_command(settings, export))
    step, flags = STEP, list[str]()
    if plan and refused:
        flags = guard_flags(plan.guard_facts, guard_limits(plan.limits, settings))
        if broken := broken_guards(plan, settings):
            problems, step = broken, GUARD_STEP
    return NotWritten(refused, problems, step, again_command(settings, export, kept, flags))


def _problems(error: LoaderError, export: str) -> list[str]:
    """The problems; those of other exports, which stop this one too, with their names."""
    if not isinstance(error, Refused):
        return [str(error)]
    names = exports_of(error.subject)
    is_of_others = names and export not in names
    return [f"{error.subject}: {p}" for p in error.problems] if is_of_others else error.problems


def record_refused_plan(run: Location, plan: Plan, settings: Settings) -> None:
    """Record that a kept plan breaks a guard, if it does."""
    if problems := broken_guards(plan, settings):
        flags = guard_flags(plan.guard_facts, guard_limits(plan.limits, settings))
        command = apply_command(plan.settings, str(run), flags)
        _save(run, NotWritten(True, problems, GUARD_STEP, command))


def _save(run: Location, record: NotWritten) -> None:
    try:
        save_not_written(run, record)
        history.save(run.parent.parent)
    except StorageFailed as error:
        print(f"warning: loader status does not know of run {run.name}: {error}", file=sys.stderr)
