"""The report as lines on a terminal."""

from collections.abc import Sequence

from loader.plan.partition_result import Reject
from loader.plan.result import Plan
from loader.printable import printable, short_key, shortened
from loader.report.files import PAGE_FILE
from loader.report.formats import titled
from loader.report.totals import Report
from loader.report.unsent import by_cause

SHOWN = 5


def report_lines(report: Report) -> list[str]:
    """The totals, and for an incomplete run the missing items and the command that continues."""
    if report.complete:
        head = f"complete in {report.seconds:.1f} s"
    else:
        head = f"INCOMPLETE after {report.seconds:.1f} s: {' and '.join(report.missing)}"
    lines = [
        f"{report.export}   {head}   run {report.run}",
        *(f"  note       {printable(note)}" for note in report.notes),
        f"  rows       {rows_line(report.rows_read, report.rows_same)} = "
        f"{report.rows_grouped:,} grouped + {report.rows_rejected:,} rejected",
        *_item_lines(report),
        *_warehouse_line(report),
        f"  written    {report.write_units:,.0f} write units in {report.requests:,} requests, "
        f"{report.retries:,} retries",
        *_pace_lines(report),
        _time_line(report),
        *oversize_lines(report),
        *reject_lines(report.rows_rejected, report.rejected, report.rejects, report.max_rejects),
        *_kept_lines(report),
        *_not_sent_lines(report),
        *(f"  mismatch   {mismatch}" for mismatch in report.mismatch),
    ]
    if report.rows_rejected or report.rejected or not report.complete:
        lines.append(f"  list       {report.listed_in}")
    lines.append(f"  report     {report.folder}/{PAGE_FILE}")
    if not report.complete:
        lines.append(f"{report.next_step}:  {report.next_command}")
    return lines


def _pace_lines(report: Report) -> list[str]:
    """How fast the run might write, and what slowed it further."""
    limit = report.context.write_limit
    texts = [limit] if limit else []
    for share in report.pace.fixed_shares:
        cause = shortened(printable(share.cause))
        texts.append(f"{share.slices:,} slices used a fixed share of it: {cause}")
    reasons = [printable(entry.text) for entry in report.pace.throttles]
    return [*titled("limit", texts), *titled("throttled", reasons)]


def rows_line(read: int, same: int) -> str:
    """The rows of the model: those that were read, and those of keys that have the same rows."""
    return f"{read:,} read + {same:,} the same" if same else f"{read:,} read"


def _item_lines(report: Report) -> list[str]:
    """The items as a sum, and that of the changes if some of them were not written."""
    split = f" + {report.split_items:,} split items" if report.split_items else ""
    items, unchanged = f"{report.items:,}{split}", f"{report.unchanged:,} unchanged"
    rejected = f"{report.rejected_by_plan:,} rejected"
    if not (report.rejected_by_table or report.not_sent or report.mismatch):
        return [
            f"  items      {items} = {report.put:,} put + {unchanged} + {rejected};  "
            f"{report.deleted:,} deleted"
        ]
    return [
        f"  items      {items} = {report.puts:,} to put + {unchanged} + {rejected};  "
        f"{report.deletes:,} to delete",
        f"  changes    {report.changes:,} = {report.put:,} put + {report.deleted:,} deleted "
        f"+ {report.rejected_by_table:,} rejected + {report.not_sent:,} not sent",
    ]


def _kept_lines(report: Report) -> list[str]:
    """Old items that stay in the table; a note has the deletes that are held back."""
    if not report.kept:
        return []
    return [f"  kept       {report.kept:,} old items, because the new ones were rejected"]


def _time_line(report: Report) -> str:
    context = report.context
    rows_per_second = report.rows / report.seconds if report.seconds else 0.0
    written = report.put + report.deleted - context.changes_before
    changes_per_second = written / context.apply_seconds if context.apply_seconds else 0.0
    return (
        f"  time       start {context.start_seconds:.1f} s, check {context.check_seconds:.1f} s, "
        f"plan {report.plan_seconds:.1f} s, apply {context.apply_seconds:.1f} s: "
        f"{rows_per_second:,.0f} rows/s, {changes_per_second:,.0f} changes/s"
    )


def _warehouse_line(report: Report) -> list[str]:
    """The counts of the warehouse, if it counted."""
    counts = (report.warehouse_rows_before, report.warehouse_rows_after, report.warehouse_keys)
    if counts == (None, None, None):
        return []
    before, after, keys = (f"{n:,}" if n is not None else "not counted" for n in counts)
    changed = "; the model changed during the read" if report.source_changed else ""
    rows = f"rows {before} before the read, {after} after"
    return [f"  warehouse  {rows}; distinct keys {keys}{changed}"]


def _not_sent_lines(report: Report) -> list[str]:
    causes = by_cause(vars(entry) for entry in report.partitions_not_sent)
    lines = [
        f"  not sent   {cause.changes:,} of {cause.place}: {shortened(printable(cause.cause))}"
        for cause in causes[:SHOWN]
    ]
    if len(causes) > SHOWN:
        lines.append(f"             and for {len(causes) - SHOWN:,} more causes")
    return lines


def oversize_lines(counts: Plan | Report) -> list[str]:
    """Items that were truncated or split because they were too large; empty for most exports."""
    lines = []
    if counts.truncated_items:
        lines.append(
            f"  truncated  {counts.truncated_items:,} items, "
            f"{counts.dropped_elements:,} elements dropped"
        )
    if counts.split_items:
        lines.append(
            f"  split      {counts.split_items:,} split items continue items over the limit"
        )
    return lines


def reject_lines(rows: int, items: int, rejects: Sequence[Reject], allowed: int = 0) -> list[str]:
    """The number of rejects and the first of them; empty if there are none."""
    lines = []
    if rows or items:
        limit = f"; {allowed:,} are allowed" if allowed else ""
        lines.append(f"  rejected   {rows:,} rows without a key, {items:,} items{limit}")
    for reject in rejects[:SHOWN]:
        subject = f"item {short_key(reject.key)}" if reject.key else f"{reject.rows:,} rows"
        lines.append(f"             {subject}: {shortened(printable(reject.reason))}")
    # `rejects` has examples of the items, and one entry per reason of rows without a key.
    others = items + sum(not reject.key for reject in rejects) - len(rejects[:SHOWN])
    if others > 0:
        lines.append(f"             and {others:,} more")
    return lines
