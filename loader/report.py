"""The account of a run: it adds up, or the run fails."""

import json
from dataclasses import asdict, dataclass, field
from typing import Any

from loader.apply.task import NotSent, SliceOutcome
from loader.plan.result import Plan, Reject
from loader.storage.location import Location
from loader.storage.rejects import FILE as LIST

FILE = "report.json"
SHOWN = 5


@dataclass
class Report:
    """What one run did to one table. Counts are of rows, items or changes, as named.

    `partitions_not_sent` has (partition, changes, cause). `mismatch` says which sum is wrong.
    `rejects` are examples; rejects.jsonl has all. A run with `max_rejects` of them is complete.
    """

    run: str
    export: str
    table: str
    folder: str
    rows_read: int
    rows_grouped: int
    rows_rejected: int
    items: int
    put: int
    rejected: int
    not_sent: int
    requests: int
    retries: int
    throttled: int
    write_units: float
    plan_seconds: float
    apply_seconds: float
    rejects: list[Reject] = field(default_factory=list)
    partitions_not_sent: list[NotSent] = field(default_factory=list)
    mismatch: list[str] = field(default_factory=list)
    max_rejects: int = 0

    @property
    def complete(self) -> bool:
        rejects = self.rows_rejected + self.rejected
        return not (rejects > self.max_rejects or self.not_sent or self.mismatch)

    @property
    def seconds(self) -> float:
        return self.plan_seconds + self.apply_seconds

    def to_dict(self) -> dict[str, Any]:
        return {**asdict(self), "complete": self.complete}

    def save(self, folder: Location) -> None:
        folder.write(FILE, json.dumps(self.to_dict(), indent=1).encode())


def account(
    plan: Plan, outcomes: list[SliceOutcome], folder: str, seconds: float, max_rejects: int = 0
) -> Report:
    """Add up a plan and what came of applying it; a sum that is wrong is named in `mismatch`."""
    refused = [Reject(cause, 0, key) for outcome in outcomes for key, cause in outcome.rejects]
    not_sent = _merge([entry for outcome in outcomes for entry in outcome.not_sent])
    report = Report(
        run=plan.run,
        export=plan.export,
        table=plan.table,
        folder=folder,
        rows_read=plan.rows,
        rows_grouped=plan.rows - plan.keyless_rows,
        rows_rejected=plan.keyless_rows,
        items=plan.items,
        put=sum(outcome.acknowledged for outcome in outcomes),
        rejected=plan.rejected_items + sum(outcome.rejected for outcome in outcomes),
        not_sent=sum(entry.changes for entry in not_sent),
        requests=sum(outcome.requests for outcome in outcomes),
        retries=sum(outcome.retries for outcome in outcomes),
        throttled=sum(outcome.throttled for outcome in outcomes),
        write_units=sum(outcome.consumed for outcome in outcomes),
        plan_seconds=plan.seconds,
        apply_seconds=seconds,
        rejects=plan.rejects + refused,
        partitions_not_sent=not_sent,
        max_rejects=max_rejects,
    )
    report.mismatch = mismatches(report, plan)
    return report


def mismatches(report: Report, plan: Plan) -> list[str]:
    """The equations of the account that do not hold."""
    equations = [
        (
            "items read must be put, rejected or not sent",
            report.items,
            report.put + report.rejected + report.not_sent,
        ),
        (
            "changes planned must be items less those rejected in the plan",
            plan.changes,
            plan.items - plan.rejected_items,
        ),
    ]
    return [f"{rule}, got {a:,} and {b:,}" for rule, a, b in equations if a != b]


def _merge(entries: list[NotSent]) -> list[NotSent]:
    merged: dict[tuple[int, str], NotSent] = {}
    for entry in entries:
        known = merged.setdefault(
            (entry.partition, entry.cause), NotSent(entry.partition, 0, entry.cause)
        )
        known.changes += entry.changes
    return sorted(merged.values(), key=lambda entry: entry.partition)


def plan_lines(plan: Plan, folder: str, dynamodb: str) -> list[str]:
    """What `loader plan` shows of one export."""
    key, size = plan.largest
    speed = plan.rows / plan.seconds if plan.seconds else 0.0
    lines = [
        f"{plan.export}   {plan.source} → DynamoDB table {plan.table} ({dynamodb})",
        f"  read       {plan.rows:,} rows in {plan.partitions} partitions, "
        f"{plan.queries} queries at a time, {plan.seconds:.1f} s, {speed:,.0f} rows/s",
        f"  items      {plan.items:,}   largest {plain_key(key)}: {size / 1024:,.1f} KB",
        f"  changes    + {plan.changes:,} to put, {plan.write_units:,} write units",
    ]
    lines += _reject_lines(plan.keyless_rows, plan.rejected_items, plan.rejects)
    if plan.rejects:
        lines.append(f"  list       {folder}/{LIST}")
    lines.append(f"Nothing was written. Apply it:  loader load --changeset {folder}")
    return lines


def report_lines(report: Report) -> list[str]:
    """The account as a person reads it, with what to do next where it is incomplete."""
    speed = report.rows_read / report.seconds if report.seconds else 0.0
    items_speed = report.put / report.apply_seconds if report.apply_seconds else 0.0
    if report.complete:
        head = f"complete in {report.seconds:.1f} s"
    else:
        head = f"INCOMPLETE after {report.seconds:.1f} s: {_missing(report)}"
    lines = [
        f"{report.export}   {head}   run {report.run}",
        f"  rows       {report.rows_read:,} read = {report.rows_grouped:,} grouped "
        f"+ {report.rows_rejected:,} rejected",
        f"  items      {report.items:,} = {report.put:,} put + {report.rejected:,} rejected "
        f"+ {report.not_sent:,} not sent",
        f"  written    {report.write_units:,.0f} write units in {report.requests:,} requests, "
        f"{report.retries:,} retries",
        f"  time       plan {report.plan_seconds:.1f} s, apply {report.apply_seconds:.1f} s: "
        f"{speed:,.0f} rows/s, {items_speed:,.0f} items/s written",
    ]
    lines += _reject_lines(
        report.rows_rejected, report.rejected, report.rejects, report.max_rejects
    )
    lines += [
        f"  not sent   {entry.changes:,} of partition {entry.partition}: {entry.cause}"
        for entry in report.partitions_not_sent[:SHOWN]
    ]
    if len(report.partitions_not_sent) > SHOWN:
        more = len(report.partitions_not_sent) - SHOWN
        lines.append(f"             and of {more} more partitions: see {report.folder}/{FILE}")
    lines += [f"  mismatch   {mismatch}" for mismatch in report.mismatch]
    if report.rows_rejected or report.rejected or report.not_sent:
        lines.append(f"  list       {report.folder}/{LIST}")
    lines.append(f"  report     {report.folder}/{FILE}")
    if report.not_sent:
        lines.append(f"Go on with:  loader load --changeset {report.folder}")
    return lines


def _missing(report: Report) -> str:
    items = report.not_sent + report.rejected
    parts = [f"{items:,} of {report.items:,} items were not put"] if items else []
    parts += [f"{report.rows_rejected:,} rows have no key"] if report.rows_rejected else []
    return " and ".join(parts) or "the account does not add up"


def _reject_lines(rows: int, items: int, rejects: list[Reject], allowed: int = 0) -> list[str]:
    lines = []
    if rows or items:
        limit = f"; {allowed:,} are allowed" if allowed else ""
        lines.append(f"  rejected   {rows:,} rows without a key, {items:,} items{limit}")
    for reject in rejects[:SHOWN]:
        what = f"item {plain_key(reject.key)}" if reject.key else f"{reject.rows:,} rows"
        lines.append(f"             {what}: {reject.reason}")
    # A plan keeps examples of rejected items, and one entry a reason of rows without a key.
    more = items + sum(reject.key is None for reject in rejects) - SHOWN
    if more > 0:
        lines.append(f"             and {more:,} more")
    return lines


def plain_key(key: str | None) -> str:
    """`"user_id":{"S":"12347"}` as a person says it: user_id 12347."""
    if key is None:
        return "none"
    attributes: dict[str, dict[str, str]] = json.loads(f"{{{key}}}")
    return ", ".join(f"{name} {next(iter(v.values()))}" for name, v in attributes.items())
