"""Spark job 2: cut a changeset into slices and send them."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from functools import partial
from typing import TYPE_CHECKING

from loader.apply import recovery
from loader.apply.commit import begin_run
from loader.apply.live_line import LiveLine
from loader.apply.pacing import Pacing, driver_place, paced
from loader.apply.task import ApplyTask, alone
from loader.dynamodb.allowed_rates import AllowedRate
from loader.dynamodb.endpoint import Endpoint
from loader.dynamodb.estimate import unit_ratios
from loader.errors import ApplyFailed, reason
from loader.next_command import resume_command
from loader.plan.result import Plan
from loader.settings import Settings
from loader.spark import failures, progress
from loader.spark.driver_conf import DriverConf, driver_conf
from loader.spark.progress import Step
from loader.spark.stall import StallWatch
from loader.storage import unfinished
from loader.storage.changeset import Slice, cut_slices
from loader.storage.location import Location
from loader.storage.lock import LockWatch
from loader.storage.rejects import Rejects
from loader.storage.slice_outcome import SliceOutcome
from loader.storage.unfinished import Begun, Unfinished

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

Rates = Callable[[], Sequence[AllowedRate]]

# More slices keep all slots busy until the end; fewer slices save the start of tasks. 1,000 write
# units take well under a second.
SLICES_PER_SLOT = 4
SLICE_WRITE_UNITS = 1_000


@dataclass(frozen=True)
class Applied:
    """One outcome per slice of the changeset, those of earlier applies included.

    `seconds` is the wall time of this one; `began`, in seconds since 1970, is the start of the
    first, and `changes_before` were written by earlier ones. `version` is that of the state file,
    for the commit. `pacing` has the limits of this one.
    """

    outcomes: list[SliceOutcome]
    seconds: float
    began: float
    changes_before: int
    version: str
    pacing: Pacing


def apply_plan(
    spark: SparkSession,
    settings: Settings,
    plan: Plan,
    folder: Location,
    endpoint: Endpoint,
    lock: LockWatch,
    keep: Callable[[], None],
    begins: Callable[[], None],
    rates: Rates | None = None,
) -> Applied:
    """Write the slices of the changeset that have not ended; the run is recorded as unfinished.

    `keep` is called just before it is recorded: from then on, its files are needed. `begins` is
    called when it is recorded, before the first write. `rates` looks up the limits of the table and
    its indexes; None: there are none.

    If the job breaks off, the changes of slices in doubt count as not sent. Raises `Refused`
    before the first write if the state of the export is no longer that of the plan.
    """
    conf = driver_conf(spark)
    keep()
    run = unfinished.record(folder, _begun(conf, plan))
    version = begin_run(plan, folder.parent.parent, len(run.outcomes))
    begins()
    ended = {n: outcome for n, outcome in run.outcomes.items() if outcome.is_complete}
    slices = [piece for piece in run.begun.slices if piece.number not in ended]
    rejects = Rejects(folder.within(folder), plan.run, plan.export)
    apply = uuid.uuid4().hex[:8]
    step = Step("apply", sum(piece.changes for piece in slices), "changes")
    outcomes = [*ended.values()]
    facts: list[str] = []
    pacing = Pacing(rates or tuple)
    if slices:
        count_alone = partial(alone, folder, apply)
        with _pacing(conf, settings, plan, rates, len(slices), count_alone) as pacing:
            live = LiveLine(
                step,
                len(slices),
                sum(piece.write_units for piece in slices),
                pacing.totals,
                pacing.problems,
            )
            task = ApplyTask(
                rejects,
                endpoint,
                settings.requests,
                settings.retry_seconds,
                apply,
                lock,
                pacing.address,
            )
            outcomes += _sent(spark, settings, plan, run, slices, task, live)
            facts = live.average()
    sent = [outcome for outcome in outcomes if outcome.number not in ended]
    acknowledged = sum(outcome.acknowledged for outcome in sent)
    throttled = sum(outcome.throttled for outcome in sent)
    facts = [f"{acknowledged / step.seconds:,.0f} changes/s", *facts, f"{throttled:,} throttled"]
    step.end(acknowledged, " · ".join(facts))
    outcomes.sort(key=lambda outcome: outcome.number)
    before = sum(outcome.acknowledged for outcome in ended.values())
    return Applied(outcomes, step.seconds, run.begun.began, before, version, pacing)


def _pacing(
    conf: DriverConf,
    settings: Settings,
    plan: Plan,
    rates: Rates | None,
    slices: int,
    count_alone: Callable[[], int],
) -> AbstractContextManager[Pacing]:
    """Serve the limits where executors reach the driver."""
    place = driver_place(conf.properties, settings.pace_port or 0)
    table, cost = plan.described, plan.estimate
    ratios = unit_ratios(table, cost) if table and cost else {}
    slots = conf.running_tasks(slices)
    return paced(rates or (lambda: ()), place, slots, ratios, alone=count_alone)


def _begun(conf: DriverConf, plan: Plan) -> Begun:
    """How the changeset is cut."""
    if plan.identity is None:
        raise AssertionError("a plan has the identity of its table")
    most = -(-plan.write_units // SLICE_WRITE_UNITS)
    count = min(conf.slots * SLICES_PER_SLOT, most)
    slices = cut_slices(plan.parts, count, interleave=len(plan.key) > 1)
    return Begun(
        plan.run, asdict(plan.identity), plan.partitions, time.time(), slices, plan.distributed
    )


def _sent(
    spark: SparkSession,
    settings: Settings,
    plan: Plan,
    run: Unfinished,
    slices: list[Slice],
    task: ApplyTask,
    live: LiveLine,
) -> list[SliceOutcome]:
    """The outcomes of these slices."""
    group, seconds = f"{plan.run} {plan.export} apply", settings.stall_minutes * 60
    stall = StallWatch(spark, group, seconds, limited_tasks=True)
    try:
        with progress.watched(spark, stall, f"apply {plan.export}", live.show):
            return spark.sparkContext.parallelize(slices, len(slices)).map(task).collect()
    except KeyboardInterrupt:
        live.step.broken()
        raise
    except Exception as error:  # noqa: BLE001  the run's report has it
        live.step.broken()
        _, cause = failures.failure(error)
        numbers = {piece.number for piece in slices}
        try:
            known = unfinished.outcomes(run.folder, run.begun)
            broken_off = Unfinished(run.begun, run.folder, known)
            outcomes = recovery.all_outcomes(broken_off, task.rejects, cause)
        except OSError as error_of_storage:
            unreadable = getattr(error_of_storage, "cause", None) or reason(error_of_storage)
            raise ApplyFailed(
                f"cannot determine what was written to table {plan.table}: the job of export "
                f"{plan.export} failed ({cause}), and {run.folder} cannot be read ({unreadable}). "
                f"Go on with `{resume_command(settings, plan.export)}`"
            ) from error
        return [outcome for outcome in outcomes if outcome.number in numbers]
