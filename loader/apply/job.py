"""Spark job 2: cut a changeset into slices and send them."""

import sys
import uuid

from pyspark.sql import SparkSession

from loader.apply import recovery as applied
from loader.apply.outcome import SliceOutcome
from loader.apply.task import ApplyTask
from loader.dynamodb.endpoint import Endpoint
from loader.errors import ApplyFailed
from loader.plan.result import Plan
from loader.settings import Settings
from loader.spark import failures, progress
from loader.spark.progress import Step
from loader.storage.changeset import cut_slices
from loader.storage.location import Location
from loader.storage.rejects import Rejects

# Enough slices that the last ones to run leave no slot idle for long, not so many that starting
# them costs: 1,000 write units take well under a second.
SLICES_PER_SLOT = 4
SLICE_WRITE_UNITS = 1_000


def apply_plan(
    spark: SparkSession, settings: Settings, planned: Plan, folder: Location, endpoint: Endpoint
) -> tuple[list[SliceOutcome], float]:
    """Write the changeset in slices of equal write units: the outcome of each, and the seconds.

    A job that broke off has outcomes too: those of the slices in doubt say so.
    """
    most = -(-planned.write_units // SLICE_WRITE_UNITS)
    slices = cut_slices(planned.parts, min(settings.slots * SLICES_PER_SLOT, most))
    rejects = Rejects(folder, planned.run, planned.export)
    apply = uuid.uuid4().hex[:8]
    task = ApplyTask(rejects, endpoint, settings.requests, settings.retry_seconds, apply)
    applied.begin(folder, apply, slices)
    step = Step("apply", planned.changes, "items")

    def show(done: int) -> None:
        step.show(planned.changes * done // max(1, len(slices)))

    outcomes: list[SliceOutcome] = []
    if slices:
        try:
            group = f"{planned.run} {planned.export} apply"
            with progress.watched(spark, group, f"apply {planned.export}", show):
                pieces = spark.sparkContext.parallelize(slices, len(slices))
                outcomes = pieces.map(task).collect()
        except KeyboardInterrupt:
            step.broken()
            again = f"write them again with `loader load --changeset {folder}`"
            print(f"the changes of {folder} are written in part: {again}", file=sys.stderr)
            raise
        except Exception as error:  # noqa: BLE001  told in the report of the run
            step.broken()
            outcomes = _broken_off(planned, rejects, error)
    put = sum(outcome.acknowledged for outcome in outcomes)
    throttled = sum(outcome.throttled for outcome in outcomes)
    step.end(put, f"{put / step.seconds:,.0f} items/s · {throttled:,} throttled")
    return outcomes, step.seconds


def _broken_off(planned: Plan, rejects: Rejects, error: Exception) -> list[SliceOutcome]:
    """What the slices left that ended before the job broke; the rest is in doubt, and listed."""
    _, cause = failures.failure(error)
    try:
        return applied.outcomes(planned, rejects, cause)
    except OSError as unreadable:
        folder = rejects.folder
        raise ApplyFailed(
            f"{planned.export}: the changes of {folder} must all be sent to table "
            f"{planned.table}, got {cause}: what was written is unknown, since {folder} "
            f"cannot be read ({unreadable}); write them again with "
            f"`loader load --changeset {folder}`"
        ) from error
