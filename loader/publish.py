"""Apply one plan, commit it, and save its report."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from loader import next_command
from loader.apply.commit import commit_run
from loader.apply.job import Applied, apply_plan
from loader.apply.write_limits import WriteLimits
from loader.dynamodb.table import ReadyTable
from loader.errors import ApplyFailed, LoaderError, StorageFailed, subject_of
from loader.interruption import ENDED, Interrupted, deferred, set_message
from loader.plan.result import Plan
from loader.report import history
from loader.report.deviation import compared
from loader.report.files import PAGE_FILE, REPORT_FILE, save
from loader.report.reconciliation import reconcile
from loader.report.refusals import record_failure
from loader.report.run_context import RunContext, shown_settings
from loader.report.timing import Stopwatch
from loader.report.totals import Report
from loader.settings import Settings
from loader.storage.location import Location
from loader.storage.lock import RunLock
from loader.storage.newest_build import record_build
from loader.storage.not_written import NOT_WRITTEN
from loader.storage.prune import prune
from loader.storage.rejects import Rejects
from loader.storage.unfinished import mark_committed

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from pyspark.sql import SparkSession


@dataclass
class PlannedApply:
    """The apply of one plan."""

    spark: SparkSession
    settings: Settings
    plan: Plan
    folder: Location
    ready_table: ReadyTable
    lock: RunLock
    watch: Stopwatch
    # Known before the first apply, because the JVM may end during it.
    versions: dict[str, str]
    dynamodb: DynamoDBClient
    # The exports whose runs are recorded as unfinished: it adds its own.
    begun: set[str]
    # The folder of a plan that was kept before.
    kept: str = ""
    # The folders that an interruption removes; that of the plan is one of them until it begins.
    folders: list[Location] = field(default_factory=list)
    # How fast it may write, known when it begins.
    write_limit: str = ""

    def run(self, waiting: Sequence[str], ended: Callable[[Report | LoaderError], None]) -> None:
        """Apply and commit the plan, and save its report; a committed run keeps no changeset.

        `waiting` are the exports that an interruption leaves unwritten.
        """
        message, had_ended = "", f"interrupted: export {self.plan.export} had ended"
        try:
            try:
                self.lock.require(self._command())
                with self.watch.step("apply", self.plan.export):
                    applied = self._write()
                with deferred():
                    with self.watch.step("commit", self.plan.export):
                        report = self._commit(applied)
                    ended(report)
                    message = had_ended
            except LoaderError as error:
                with deferred():
                    ended(self._failed(error))
                    message = had_ended
        except KeyboardInterrupt as error:
            interrupted = error if isinstance(error, Interrupted) else Interrupted()
            interrupted.message = self._interrupted(message, waiting)
            raise interrupted from None
        set_message(self._interrupted(had_ended, waiting) if waiting else ENDED)

    @property
    def _has_begun(self) -> bool:
        return self.plan.export in self.begun

    def _keep(self) -> None:
        """Keep the folder, whatever ends the run."""
        if self.folder in self.folders:
            self.folders.remove(self.folder)

    def _begins(self) -> None:
        self.begun.add(self.plan.export)

    def _command(self) -> str:
        """The command that goes on; before the run has begun, there is nothing to resume."""
        if self._has_begun:
            return next_command.resume_command(self.settings, self.plan.export)
        return next_command.again_command(self.settings, self.plan.export, self.kept)

    def _failed(self, error: LoaderError) -> LoaderError:
        """Why the run failed; if it has not begun, this is recorded."""
        try:
            # A lost lock causes what fails after it: another run may have replaced the run's files.
            self.lock.require(self._command())
        except ApplyFailed as lost:
            error = lost
        self._keep()
        if not self._has_begun:
            record_failure(self.folder, error, self.settings, self.plan, self.kept)
        return error

    def _interrupted(self, ended: str, waiting: Sequence[str]) -> str:
        """What was written; `ended` says so if the export had ended."""
        export = self.plan.export
        if not ended and not self._has_begun:
            return f"interrupted: nothing was written for {subject_of([export, *waiting])}"
        message = ended or (
            f"interrupted: table {self.plan.table} may have some changes of export {export}. "
            f"Write the others: `{self._command()}`"
        )
        return f"{message}; nothing was written for {subject_of(waiting)}" if waiting else message

    def _write(self) -> Applied:
        if build := self.plan.dbt_gate.build:
            record_build(self.folder.parent.parent, build, datetime.now(timezone.utc))
        # If this driver is killed, the files of an earlier apply must not be mistaken for its own.
        for name in (REPORT_FILE, PAGE_FILE, NOT_WRITTEN):
            self.folder.remove(name)
        limits = WriteLimits(
            self.dynamodb,
            self.ready_table.description,
            self.settings.write_capacity or self.plan.declared_capacity,
            self.folder,
        )
        self.write_limit = limits.begin()
        print(f"limit  {self.plan.export} {self.write_limit}", file=sys.stderr)
        applied = apply_plan(
            self.spark,
            self.settings,
            self.plan,
            self.folder,
            self.ready_table.endpoint,
            self.lock.watch(),
            self._keep,
            self._begins,
            limits,
        )
        problems = dict.fromkeys([*limits.problems, *applied.pacing.problems])
        self.plan.notes += [problem for problem in problems if problem not in self.plan.notes]
        return applied

    def _commit(self, applied: Applied) -> Report:
        """Commit the run if all its changes have an answer and its totals add up."""
        outcomes, settings = applied.outcomes, self.settings
        context = self._context(applied)
        report = reconcile(self.plan, outcomes, str(self.folder), context, settings.max_rejects)
        state = None
        if not report.not_sent and not report.mismatch:
            self.lock.require(self._command())
            state = commit_run(self.plan, self.folder, outcomes, applied.version)
            report = replace(report, serial=state.serial)
        report = compared(report, self.folder.parent.parent)
        save_report(self.plan, self.folder, applied, report)
        if state:
            prune(self.folder.parent.parent, state, settings.keep_runs, settings.keep)
        self._save_history()
        return report

    def _save_history(self) -> None:
        """Save the page of the last runs; the run itself has ended."""
        try:
            history.save(self.folder.parent.parent)
        except StorageFailed as error:
            print(f"warning: the run has ended, but {error}", file=sys.stderr)

    def _context(self, applied: Applied) -> RunContext:
        endpoint = self.ready_table.endpoint
        return RunContext(
            start_seconds=round(self.watch.seconds["start"], 3),
            check_seconds=round(self.watch.seconds["check"], 3),
            apply_seconds=round(applied.seconds, 3),
            apply_began=applied.began,
            changes_before=applied.changes_before,
            region=endpoint.region,
            billing_mode=self.ready_table.billing_mode,
            settings=shown_settings(self.settings),
            versions=self.versions,
            write_limit=self.write_limit,
            allowed=applied.pacing.allowed,
            load_command=next_command.load_command(self.settings, self.plan.export),
            resume_command=next_command.resume_command(self.settings, self.plan.export),
        )


def save_report(plan: Plan, folder: Location, applied: Applied, report: Report) -> None:
    """Save the report, and the list of rows and changes that were not written.

    Raises `ApplyFailed` if the storage fails, with the number of changes that were written.
    """
    rejects = Rejects(folder, plan.run, plan.export)
    shards = [outcome.reject_shard for outcome in applied.outcomes if outcome.reject_shard]
    try:
        if report.serial:
            mark_committed(folder, report.serial)
        rejects.join([*plan.reject_shards, *shards], plan.keyless_lines(rejects))
        save(report, folder)
    except StorageFailed as error:
        written = report.put + report.deleted
        committed = "The run is committed" if report.serial else "The run is not committed"
        raise ApplyFailed(
            f"cannot save the report of export {plan.export}, which wrote {written:,} of "
            f"{plan.changes:,} changes: {error}. {committed}; the next load goes on from there"
        ) from error
