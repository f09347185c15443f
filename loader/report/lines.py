"""The report of a run: its files, and the lines that a person reads on a terminal."""

from loader.plan.result import Plan, Reject
from loader.printable import plain_key, printable
from loader.report.files import PAGE
from loader.report.totals import Report
from loader.report.unsent import by_cause

SHOWN = 5


def report_lines(report: Report) -> list[str]:
    """The account as a person reads it, with what to do next where it is incomplete."""
    speed = report.rows_read / report.seconds if report.seconds else 0.0
    context = report.context
    items_speed = report.put / context.apply_seconds if context.apply_seconds else 0.0
    if report.complete:
        head = f"complete in {report.seconds:.1f} s"
    else:
        head = f"INCOMPLETE after {report.seconds:.1f} s: {' and '.join(report.missing)}"
    further = f" + {report.split_items:,} further parts" if report.split_items else ""
    lines = [
        f"{report.export}   {head}   run {report.run}",
        f"  rows       {report.rows_read:,} read = {report.rows_grouped:,} grouped "
        f"+ {report.rows_rejected:,} rejected",
        f"  items      {report.items:,}{further} = {report.put:,} put "
        f"+ {report.rejected:,} rejected + {report.not_sent:,} not sent",
        *_warehouse_line(report),
        f"  written    {report.write_units:,.0f} write units in {report.requests:,} requests, "
        f"{report.retries:,} retries",
        f"  time       start {context.start_seconds:.1f} s, check {context.check_seconds:.1f} s, "
        f"plan {report.plan_seconds:.1f} s, apply {context.apply_seconds:.1f} s: "
        f"{speed:,.0f} rows/s, {items_speed:,.0f} items/s written",
    ]
    lines += oversize_lines(report)
    lines += reject_lines(report.rows_rejected, report.rejected, report.rejects, report.max_rejects)
    causes = by_cause(vars(entry) for entry in report.partitions_not_sent)
    lines += [
        f"  not sent   {one.changes:,} of {one.place}: {printable(one.cause)}"
        for one in causes[:SHOWN]
    ]
    if len(causes) > SHOWN:
        lines.append(f"             and for {len(causes) - SHOWN:,} more causes")
    lines += [f"  mismatch   {mismatch}" for mismatch in report.mismatch]
    if report.rows_rejected or report.rejected or not report.complete:
        lines.append(f"  list       {report.listed_in}")
    lines.append(f"  report     {report.folder}/{PAGE}")
    if report.next_step:
        step, command = report.next_step
        lines.append(f"{step}:  {command}")
    return lines


def _warehouse_line(report: Report) -> list[str]:
    """What the warehouse itself counted, where it was asked."""
    before, after, keys = (
        "not counted" if count is None else f"{count:,}"
        for count in (
            report.warehouse_rows_before,
            report.warehouse_rows_after,
            report.warehouse_keys,
        )
    )
    if (before, after, keys) == ("not counted",) * 3:
        return []
    moved = "; the source moved during the read" if report.source_changed else ""
    counts = f"rows {before} before the read, {after} after; different keys {keys}"
    return [f"  warehouse  {counts}{moved}"]


def oversize_lines(found: Plan | Report) -> list[str]:
    """What became of items that would have been too large; none for most exports."""
    lines = []
    if found.truncated_items:
        lines.append(
            f"  truncated  {found.truncated_items:,} items, "
            f"{found.dropped_elements:,} elements dropped"
        )
    if found.split_items:
        lines.append(f"  split      {found.split_items:,} further parts of items over the limit")
    return lines


def reject_lines(rows: int, items: int, rejects: list[Reject], allowed: int = 0) -> list[str]:
    lines = []
    if rows or items:
        limit = f"; {allowed:,} are allowed" if allowed else ""
        lines.append(f"  rejected   {rows:,} rows without a key, {items:,} items{limit}")
    for reject in rejects[:SHOWN]:
        what = f"item {plain_key(reject.key)}" if reject.key else f"{reject.rows:,} rows"
        lines.append(f"             {what}: {printable(reject.reason)}")
    # A plan keeps examples of rejected items, and one entry a reason of rows without a key.
    more = items + sum(reject.key is None for reject in rejects) - SHOWN
    if more > 0:
        lines.append(f"             and {more:,} more")
    return lines
