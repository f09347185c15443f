"""The order of a run: check → plan → guards → apply → commit → report."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from loader.apply.commit import require_changes, require_current
from loader.checks import check, export_folder, run_folder, start_spark
from loader.dynamodb.service import Service, reached
from loader.errors import Guarded, LoaderError, Refused, subject_of
from loader.interruption import deferred
from loader.items.table_name import region_of
from loader.next_command import load_command, resume_command
from loader.plan.continuation import continued
from loader.plan.discarded_plans import discarded_plans
from loader.plan.inputs import old_builds
from loader.plan.result import Plan, load_plan
from loader.plan.tables import Place, pre_warmed, ready_table
from loader.publish import PlannedApply
from loader.report.journal import Journal
from loader.report.refusals import broken_guards, record_failure, record_refused_plan
from loader.report.run_context import versions
from loader.report.timing import Stopwatch
from loader.report.totals import Report
from loader.settings import Settings
from loader.spark.problems import start_problems
from loader.storage.location import Location
from loader.storage.lock import RunLock
from loader.storage.not_written import PLAN_ONLY
from loader.storage.state_file import State, read_state
from loader.storage.unfinished import RUNS

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

Ended = Callable[["Report | LoaderError"], None]


def plan(
    settings: Settings, names: Sequence[str], ended: Callable[[Plan | LoaderError], None]
) -> None:
    """Plan the exports; all are checked before the first one is read.

    `ended` gets each plan, or why there is none, as soon as it is known. A plan that breaks a
    guard is kept.
    """
    with discarded_plans() as folders:
        checked = check(settings, names, Stopwatch())
        for export in checked.inputs.exports:
            folder = checked.folder(export)
            folders.append(folder)
            try:
                folder.write(PLAN_ONLY, b"")
                plan = checked.plan(export)
            except LoaderError as error:
                ended(error)
                continue
            with deferred():
                folders.remove(folder)
                record_refused_plan(folder, plan, settings)
                ended(plan)


def load(journal: Journal, names: Sequence[str], ended: Ended) -> None:
    """Plan all exports, then apply them one after the other.

    `ended` gets each report, or why there is none, as soon as it is known.
    """
    settings, watch = journal.settings, journal.watch

    def begins(run: str, exports: Sequence[str]) -> None:
        journal.run, journal.tables = run, dict.fromkeys(exports, "")
        locks.take(run, exports)

    with _locks(settings) as locks, _recorded(locks, journal), discarded_plans() as folders:
        with watch.step("check"):
            checked = check(settings, names, watch, begins)
        spark, known_versions = checked.spark, versions(checked.spark.version)
        for export in checked.inputs.exports:
            journal.tables[export.name] = export.table
        for export in checked.inputs.exports:
            folders.append(checked.folder(export))
            with watch.step("plan", export.name):
                journal.add_plan(checked.plan(export))
        plans = [*journal.plans.values()]
        _require_guards(plans, settings)
        services = [checked.tables.services[plan.export] for plan in plans]
        settings = journal.settings = checked.settings
        _apply_all(spark, settings, plans, services, locks, folders, journal, known_versions, ended)


def apply(journal: Journal, folder: Location, given: Mapping[str, Any], ended: Ended) -> None:
    """Apply a plan that was kept, without the warehouse.

    Options that are not `given` are those of the plan. A run that has begun before goes on.
    """
    settings, watch, journal.kept = journal.settings, journal.watch, str(folder)
    # The storage may have been moved since the plan.
    storage = folder.parent.parent.parent.uri or "."
    problems = start_problems(settings.spark, (), Location(storage))
    plan: Plan | None = None
    service: Service | None = None
    try:
        # Read the storage only if its endpoint is allowed.
        if problem := folder.plain_text_problem(settings.allow_plain_http):
            raise Refused(problem)
        plan = load_plan(folder)
        journal.add_plan(plan)
        settings = journal.settings = continued(plan, {**given, "storage": storage})
    except Refused as refused:
        problems += refused.problems
    try:
        # Without a plan the AWS configuration is checked too.
        service = _reached(settings, plan, given)
    except Refused as refused:
        problems += refused.problems
    if problems or plan is None or service is None:
        raise Refused(problems)
    _require_place(plan, folder)
    require_changes(plan, folder)
    with _locks(settings) as locks, discarded_plans() as folders:
        locks.take_one(plan.run, plan.export, folder.parent.parent, resume_command)
        has_begun = require_current(plan, folder.parent.parent)
        if not has_begun:
            _require_guards([plan], settings)
        watch.lap("check")
        spark = start_spark(settings)
        watch.lap("start")
        known_versions = versions(spark.version)
        services = [service]
        _apply_all(
            spark,
            settings,
            [plan],
            services,
            locks,
            folders,
            journal,
            known_versions,
            ended,
            folder,
        )


def resume(journal: Journal, export: str, given: Mapping[str, Any], ended: Ended) -> State | None:
    """Write what the last unfinished run of the export has not written, without the warehouse.

    Returns the committed state if there is nothing to write.
    """
    settings = journal.settings
    folder = export_folder(settings, export)
    if problem := folder.plain_text_problem(settings.allow_plain_http):
        raise Refused(problem)
    state, _ = read_state(folder)
    if state is None:
        raise Refused(
            f"export {export} must have a run to resume, got none in {folder}: check --storage, or "
            f"load it with `loader load --export {export}`",
            subject_of([export]),
        )
    if not state.unfinished:
        return state
    apply(journal, folder / RUNS / state.unfinished[-1], given, ended)
    return None


def _apply_all(
    spark: SparkSession,
    settings: Settings,
    plans: Sequence[Plan],
    services: Sequence[Service],
    locks: _Locks,
    folders: list[Location],
    journal: Journal,
    known_versions: dict[str, str],
    ended: Ended,
    kept: Location | None = None,
) -> None:
    """Apply the plans one after the other; `kept` is the folder of a kept one.

    The versions are known before, because the JVM may have ended.
    """
    of_plans = [kept or run_folder(settings, plan.export, plan.run) for plan in plans]
    for plan, folder in zip(plans, of_plans, strict=True):
        if require_current(plan, folder.parent.parent):
            journal.begun.add(plan.export)
    ready_tables = [
        ready_table(settings, service, plan, folder)
        for plan, service, folder in zip(plans, services, of_plans, strict=True)
    ]
    for plan, service, ready in zip(plans, services, ready_tables, strict=True):
        if note := pre_warmed(settings, service.dynamodb, plan, ready.description):
            print(f"export {plan.export}: {note}", file=sys.stderr)

    def keep(result: Report | LoaderError) -> None:
        journal.results[plan.export] = result
        ended(result)

    for number, plan in enumerate(plans):
        planned = PlannedApply(
            spark,
            settings,
            plan,
            of_plans[number],
            ready_tables[number],
            locks.held[plan.export],
            journal.watch,
            known_versions,
            services[number].dynamodb,
            journal.begun,
            journal.kept,
            folders,
        )
        planned.run([plan.export for plan in plans[number + 1 :]], keep)


def _reached(settings: Settings, plan: Plan | None, given: Mapping[str, Any]) -> Service:
    """DynamoDB for a kept plan, by the role that is given, else by that of the plan."""
    if plan is None:
        return reached(settings, Place(), None, "loader")
    options = continued(plan, {**given, "allow_plain_http": settings.allow_plain_http})
    return reached(options, plan, region_of(plan.table), plan.run)


def _require_guards(plans: Sequence[Plan], settings: Settings) -> None:
    """Raise `Refused` with all broken guards of all plans.

    Another run, or `loader bundle`, may have recorded a newer build since the check.
    """
    if problems := old_builds(settings, {plan.export: plan.dbt_gate for plan in plans}):
        raise Refused(problems, subject_of(plan.export for plan in plans))
    problems = [problem for plan in plans for problem in broken_guards(plan, settings)]
    if problems:
        raise Guarded(problems, subject_of(plan.export for plan in plans))


def _require_place(plan: Plan, folder: Location) -> None:
    """Raise `Refused` if the state and the lock of the export are not where they must be."""
    export = folder.parent.parent
    if (export.name, folder.parent.name, folder.name) != (plan.export, RUNS, plan.run):
        raise Refused(
            f"DIR must be STORAGE/{plan.export}/{RUNS}/{plan.run}, beside the state and the lock "
            f"of the export, got {folder}: give that folder, or plan again"
        )


@dataclass
class _Locks:
    """The locks of the exports of a run; all are taken before anything is written."""

    settings: Settings
    stack: ExitStack
    held: dict[str, RunLock] = field(default_factory=dict)

    def take(self, run: str, exports: Sequence[str]) -> None:
        """Take the locks in the order of the names, so that two runs never wait crosswise."""
        for export in sorted(exports):
            self.take_one(run, export, export_folder(self.settings, export), load_command)

    def take_one(
        self, run: str, export: str, folder: Location, command: Callable[[Settings, str], str]
    ) -> None:
        """Take the lock in an export's folder; `command` is what others see."""
        text = command(self.settings, export)
        lock = RunLock(folder, export, run, text, self.settings.lock_seconds)
        self.held[export] = self.stack.enter_context(lock)


@contextmanager
def _locks(settings: Settings) -> Iterator[_Locks]:
    with ExitStack() as stack:
        yield _Locks(settings, stack)


@contextmanager
def _recorded(locks: _Locks, journal: Journal) -> Iterator[None]:
    """Record in the storage why a load wrote nothing."""
    try:
        yield
    except LoaderError as error:
        for export, lock in locks.held.items():
            run = lock.folder / RUNS / lock.run
            record_failure(run, error, locks.settings, journal.plans.get(export))
            journal.recorded.add(export)
        raise
