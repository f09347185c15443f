"""Spark job 2: cut a changeset into slices and send them."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

from loader.apply import ownership, recovery
from loader.apply.slice_outcome import SliceOutcome
from loader.apply.task import ApplyTask
from loader.dynamodb.endpoint import Endpoint
from loader.errors import ApplyFailed, reason
from loader.next_command import apply_command
from loader.plan.result import Plan
from loader.settings import Settings
from loader.spark import failures, progress
from loader.spark.progress import Step
from loader.spark.stall import StallWatch
from loader.storage.changeset import cut_slices
from loader.storage.location import Location
from loader.storage.rejects import Rejects

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

# More slices keep all slots busy until the end; fewer slices save the start of tasks. 1,000 write
# units take well under a second.
SLICES_PER_SLOT = 4
SLICE_WRITE_UNITS = 1_000


def apply_plan(
    spark: SparkSession, settings: Settings, plan: Plan, folder: Location, endpoint: Endpoint
) -> tuple[list[SliceOutcome], float]:
    """Write the changeset in slices of equal write units: their outcomes, and the seconds.

    If the job breaks off, the changes of slices in doubt count as not sent. Raises `ApplyFailed` if
    a later load applies the changeset too.
    """
    most = -(-plan.write_units // SLICE_WRITE_UNITS)
    slices = cut_slices(plan.parts, min(settings.slots * SLICES_PER_SLOT, most))
    rejects = Rejects(folder, plan.run, plan.export)
    apply = uuid.uuid4().hex[:8]
    task = ApplyTask(rejects, endpoint, settings.requests, settings.retry_seconds, apply)
    recovery.begin(folder, apply, slices)
    ownership.take(folder, apply)
    step = Step("apply", plan.changes, "items")

    def show(done: int) -> None:
        step.show(plan.changes * done // max(1, len(slices)))

    outcomes: list[SliceOutcome] = []
    if slices:
        try:
            group, seconds = f"{plan.run} {plan.export} apply", settings.stall_minutes * 60
            stall = StallWatch(spark, group, seconds, limited_tasks=True)
            with progress.watched(spark, stall, f"apply {plan.export}", show):
                outcomes = spark.sparkContext.parallelize(slices, len(slices)).map(task).collect()
            _require_ownership(plan, folder, apply)
        except KeyboardInterrupt:
            step.broken()
            raise
        except Exception as error:  # noqa: BLE001  the run's report has it
            step.broken()
            outcomes = _broken_off(settings, plan, rejects, apply, error)
    put = sum(outcome.acknowledged for outcome in outcomes)
    throttled = sum(outcome.throttled for outcome in outcomes)
    step.end(put, f"{put / step.seconds:,.0f} items/s · {throttled:,} throttled")
    return outcomes, step.seconds


def _require_ownership(plan: Plan, folder: Location, apply: str) -> None:
    """Raise `ApplyFailed` if another apply has taken the changeset over: its report counts."""
    if owner := ownership.other_owner(folder, apply):
        raise ApplyFailed(
            f"cannot write all items of export {plan.export} to table {plan.table}: another load "
            f"has taken over the changeset {folder} ({owner}). Wait for its report"
        )


def _broken_off(
    settings: Settings, plan: Plan, rejects: Rejects, apply: str, error: Exception
) -> list[SliceOutcome]:
    _, cause = failures.failure(error)
    try:
        _require_ownership(plan, rejects.folder, apply)
        return recovery.outcomes(plan, rejects, cause)
    except OSError as error_of_storage:
        folder = rejects.folder
        unreadable = getattr(error_of_storage, "cause", None) or reason(error_of_storage)
        raise ApplyFailed(
            f"cannot determine what was written to table {plan.table}: the job of export "
            f"{plan.export} failed ({cause}), and {folder} cannot be read ({unreadable}). "
            f"{_again(settings, folder)}"
        ) from error


def _again(settings: Settings, folder: Location) -> str:
    return f"Apply the changeset again: `{apply_command(settings, str(folder))}`"
