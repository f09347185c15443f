"""Sums over a plan and the outcomes of its slices: the report of a run."""

from collections.abc import Sequence
from dataclasses import replace

from loader.plan.partition_result import Reject
from loader.plan.result import Plan
from loader.report import metrics
from loader.report.pace import pace
from loader.report.run_context import RunContext
from loader.report.totals import Report
from loader.storage.slice_outcome import NotSent, SliceOutcome


def reconcile(
    plan: Plan,
    outcomes: Sequence[SliceOutcome],
    folder: str,
    context: RunContext,
    max_rejects: int = 0,
) -> Report:
    """Add up a plan and the outcomes of its slices."""
    rejects = [Reject(cause, 0, key) for outcome in outcomes for key, cause in outcome.rejects]
    not_sent = _merge([entry for outcome in outcomes for entry in outcome.not_sent])
    return Report(
        run=plan.run,
        export=plan.export,
        model=plan.model,
        table=plan.table,
        folder=folder,
        rows_read=plan.rows_read,
        rows_same=plan.same_rows,
        rows_grouped=plan.rows - plan.keyless_rows,
        rows_rejected=plan.keyless_rows,
        items=plan.items,
        unchanged=plan.unchanged,
        new=plan.new,
        changed=plan.changed,
        rewritten=plan.rewritten,
        deletes=plan.deletes,
        held_back=plan.held_back,
        kept=plan.kept,
        changes=plan.changes,
        put=sum(outcome.acknowledged - outcome.deleted for outcome in outcomes),
        deleted=sum(outcome.deleted for outcome in outcomes),
        keys_before=plan.state_keys,
        keys_after=plan.keys_after,
        rejected_by_plan=plan.rejected_items,
        split_items=plan.split_items,
        truncated_items=plan.truncated_items,
        dropped_elements=plan.dropped_elements,
        rejected_by_table=sum(outcome.rejected for outcome in outcomes),
        not_sent=sum(entry.changes for entry in not_sent),
        requests=sum(outcome.requests for outcome in outcomes),
        retries=sum(outcome.retries for outcome in outcomes),
        throttled=sum(outcome.throttled for outcome in outcomes),
        pace=pace(outcomes),
        write_units=round(sum(outcome.consumed for outcome in outcomes), 3),
        plan_seconds=round(plan.seconds, 3),
        max_rejects=max_rejects,
        warehouse_rows_before=plan.warehouse_rows_before,
        warehouse_rows_after=plan.warehouse_rows_after,
        warehouse_keys=plan.warehouse_keys,
        rejects=plan.rejects + rejects,
        partitions_not_sent=not_sent,
        partitions=metrics.partitions(plan),
        queries=metrics.queries(plan),
        over_time=metrics.apply_over_time(outcomes, context.apply_began, context.allowed),
        plan_facts=metrics.plan_facts(plan),
        notes=plan.notes,
        context=context,
    )


def _merge(entries: list[NotSent]) -> list[NotSent]:
    """One entry per partition and cause, by partition."""
    merged: dict[tuple[int, str], NotSent] = {}
    for entry in entries:
        same = merged.setdefault((entry.partition, entry.cause), replace(entry, changes=0))
        same.changes += entry.changes
    return sorted(merged.values(), key=lambda entry: entry.partition)
