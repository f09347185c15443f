"""Apply one plan and save its report."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from loader import next_command
from loader.apply.job import apply_plan
from loader.apply.slice_outcome import APPLIED, SliceOutcome
from loader.dynamodb.table import ReadyTable
from loader.errors import ApplyFailed, LoaderError, StorageFailed, subject_of
from loader.interruption import Interrupted, deferred
from loader.plan.result import Plan
from loader.report.files import PAGE_FILE, REPORT_FILE, save
from loader.report.run_context import RunContext, shown_settings
from loader.report.timing import Stopwatch
from loader.report.totals import Report, reconcile
from loader.settings import Settings
from loader.storage.changeset import CHANGES
from loader.storage.location import Location
from loader.storage.rejects import REJECT_SHARDS, Rejects

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


@dataclass
class PlannedApply:
    """The apply of one plan."""

    spark: SparkSession
    settings: Settings
    plan: Plan
    folder: Location
    ready_table: ReadyTable
    watch: Stopwatch
    # Known before the first apply, because the JVM may end during it.
    versions: dict[str, str]

    def run(
        self,
        folders: list[Location],
        waiting: Sequence[str],
        ended: Callable[[Report | LoaderError], None],
    ) -> None:
        """Apply the plan and save its report; the changeset of a complete run is removed.

        From here on the folder is none of `folders`, which an interruption removes; `waiting`
        are the exports that it leaves unwritten.
        """
        message = self._interrupted()
        try:
            if self.folder in folders:
                folders.remove(self.folder)
            outcomes, context = self._write()
            with deferred():
                report = save_report(self.settings, self.plan, self.folder, outcomes, context)
                if report.complete and not self.settings.keep:
                    self._remove_changeset()
                ended(report)
                message = f"interrupted: export {self.plan.export} had ended"
        except LoaderError as error:
            ended(error)
        except KeyboardInterrupt as error:
            interrupted = error if isinstance(error, Interrupted) else Interrupted()
            rest = f"; nothing was written for {subject_of(waiting)}" if waiting else ""
            interrupted.message = f"{message}{rest}"
            raise interrupted from None

    def _remove_changeset(self) -> None:
        try:
            for subfolder in (CHANGES, REJECT_SHARDS, APPLIED):
                (self.folder / subfolder).delete()
        except StorageFailed as remains:
            print(f"warning: the load is complete, but {remains}", file=sys.stderr)

    def _interrupted(self) -> str:
        command = next_command.apply_command(self.settings, str(self.folder))
        recover = next_command.recover_command(self.settings, str(self.folder))
        return (
            f"interrupted: table {self.plan.table} may have some items of export "
            f"{self.plan.export}. Write all of them: `{command}`; or list the keys in doubt: "
            f"`{recover}`"
        )

    def _write(self) -> tuple[list[SliceOutcome], RunContext]:
        # If this driver is killed, the report of an earlier apply must not be mistaken for its own.
        for name in (REPORT_FILE, PAGE_FILE):
            self.folder.remove(name)
        began = time.time()
        endpoint = self.ready_table.endpoint
        outcomes, seconds = apply_plan(self.spark, self.settings, self.plan, self.folder, endpoint)
        context = RunContext(
            start_seconds=round(self.watch.seconds["start"], 3),
            check_seconds=round(self.watch.seconds["check"], 3),
            apply_seconds=round(seconds, 3),
            apply_began=began,
            region=endpoint.region,
            billing_mode=self.ready_table.billing_mode,
            settings=shown_settings(self.settings),
            versions=self.versions,
            load_command=next_command.load_command(self.settings, self.plan.export),
            apply_command=next_command.apply_command(self.settings, str(self.folder)),
        )
        return outcomes, context


def save_report(
    settings: Settings,
    plan: Plan,
    folder: Location,
    outcomes: list[SliceOutcome],
    context: RunContext,
) -> Report:
    """Save the report, and the list of rows and items that were not written.

    Raises `ApplyFailed` if the storage fails, with the number of items that were put.
    """
    rejects = Rejects(folder, plan.run, plan.export)
    shards = [outcome.reject_shard for outcome in outcomes if outcome.reject_shard]
    report = reconcile(plan, outcomes, str(folder), context, settings.max_rejects)
    try:
        rejects.join([*plan.reject_shards, *shards], plan.keyless_lines(rejects))
        save(report, folder)
    except StorageFailed as error:
        put = sum(outcome.acknowledged for outcome in outcomes)
        raise ApplyFailed(
            f"cannot save the report of export {plan.export}, which put {put:,} of "
            f"{plan.changes:,} items: {error}. Then run `{context.apply_command}`"
        ) from error
    return report
