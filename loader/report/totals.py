"""The account of a run: pure sums over a plan and what came of it. It adds up, or the run fails."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from loader.apply.outcome import NotSent, SliceOutcome
from loader.plan.result import Plan, Reject
from loader.report import metrics as measures
from loader.report.context import RunContext
from loader.storage.rejects import REJECTS_FILE

SCHEMA = 1  # of report.json: a new number when a field goes or changes its meaning
# What a report has many of stands at its end.
LONG = ("rejects", "partitions_not_sent", "over_time", "queries", "partitions")


@dataclass(frozen=True)
class Sum:
    """One equation of the account: the count on the left must be the total of those on the right.

    Counts are pairs of what is counted and how many.
    """

    name: str
    left: tuple[str, int]
    right: tuple[tuple[str, int], ...]

    @property
    def holds(self) -> bool:
        return self.left[1] == sum(count for _, count in self.right)

    @property
    def problem(self) -> str:
        what = " + ".join(name for name, _ in self.right)
        counts = " + ".join(f"{count:,}" for _, count in self.right)
        return f"{self.left[0]} must be {what}, got {self.left[1]:,} and {counts}"

    def to_dict(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "left": {"what": self.left[0], "count": self.left[1]},
            "right": [{"what": what, "count": count} for what, count in self.right],
            "holds": self.holds,
        }


@dataclass
class Report:
    """What one run did to one table. Counts are of rows, items or changes, as named.

    `items` counts groups, `split_items` the puts that a split group makes beyond its first one,
    `changes` all puts that the plan made, `put` those that
    DynamoDB acknowledged. `rejects` are examples, rejects.jsonl has all; with `max_rejects` of
    them, rows and items together, a run is complete. `partitions_not_sent` has (partition, changes,
    cause). The warehouse's counts are None where it was not asked. docs/operations.md describes
    every field.
    """

    run: str
    export: str
    source: str
    table: str
    folder: str
    rows_read: int
    rows_grouped: int
    rows_rejected: int
    items: int
    changes: int
    put: int
    rejected_by_plan: int
    rejected_by_table: int
    not_sent: int
    requests: int
    retries: int
    throttled: int
    write_units: float
    plan_seconds: float
    max_rejects: int = 0
    split_items: int = 0
    truncated_items: int = 0
    dropped_elements: int = 0
    warehouse_rows_before: int | None = None
    warehouse_rows_after: int | None = None
    warehouse_keys: int | None = None
    rejects: list[Reject] = field(default_factory=list)
    partitions_not_sent: list[NotSent] = field(default_factory=list)
    partitions: list[measures.Partition] = field(default_factory=list)
    queries: list[measures.Query] = field(default_factory=list)
    over_time: measures.OverTime = field(default_factory=measures.OverTime)
    plan_facts: dict[str, Any] = field(default_factory=dict)
    context: RunContext = field(default_factory=RunContext)

    @property
    def rejected(self) -> int:
        """Items that cannot be written, whoever said so."""
        return self.rejected_by_plan + self.rejected_by_table

    @property
    def parts(self) -> int:
        """Items, and what those that are split go on in."""
        return self.items + self.split_items

    @property
    def complete(self) -> bool:
        return not (self.too_many_rejects or self.not_sent or self.mismatch)

    @property
    def too_many_rejects(self) -> bool:
        return self.rows_rejected + self.rejected > self.max_rejects

    @property
    def seconds(self) -> float:
        context = self.context
        return (
            context.start_seconds
            + context.check_seconds
            + self.plan_seconds
            + context.apply_seconds
        )

    @property
    def source_changed(self) -> bool | None:
        """Whether the warehouse counted other rows after the read than before; None: not asked."""
        before, after = self.warehouse_rows_before, self.warehouse_rows_after
        return None if before is None or after is None else before != after

    @property
    def sums(self) -> list[Sum]:
        """The equations of the account; those with the warehouse's counts where it was asked, and
        where its source stood still: of one that moved, no count can be held against another."""
        rows, items = ("rows read", self.rows_read), ("items", self.items)
        plan_rejects = ("rejected by the plan", self.rejected_by_plan)
        table_rejects = ("rejected by DynamoDB", self.rejected_by_table)
        puts, grouped = ("puts planned", self.changes), ("rows grouped", self.rows_grouped)
        parts = ("items and their further parts", self.parts) if self.split_items else items
        sums = [
            Sum("rows", rows, (grouped, ("rows rejected", self.rows_rejected))),
            Sum("items", parts, (puts, plan_rejects)),
            Sum(
                "changes",
                puts,
                (("acknowledged", self.put), table_rejects, ("not sent", self.not_sent)),
            ),
        ]
        if self.source_changed:
            return sums
        counted = [
            ("warehouse before", "rows that the warehouse counted before the read", rows),
            ("warehouse after", "rows that the warehouse counted after the read", rows),
            ("warehouse keys", "different keys that the warehouse counted", items),
        ]
        counts = (self.warehouse_rows_before, self.warehouse_rows_after, self.warehouse_keys)
        return sums + [
            Sum(name, (what, count), (found,))
            for (name, what, found), count in zip(counted, counts, strict=True)
            if count is not None
        ]

    @property
    def mismatch(self) -> list[str]:
        """The sums that do not hold, each with the numbers."""
        return [one.problem for one in self.sums if not one.holds]

    @property
    def missing(self) -> list[str]:
        """What makes the run incomplete, one phrase each; empty for a complete run."""
        rejected, rows = (self.rejected, self.rows_rejected) if self.too_many_rejects else (0, 0)
        items = self.not_sent + rejected
        phrases = [f"{items:,} of {self.parts:,} items were not put"] if items else []
        phrases += [f"{rows:,} rows have no key"] if rows else []
        phrases += ["the account does not add up"] if self.mismatch else []
        return phrases

    @property
    def listed_in(self) -> str:
        """The file that lists what is missing: each item, or the sums that do not hold."""
        listed = self.rows_rejected or self.rejected or self.not_sent
        return f"{self.folder}/{REJECTS_FILE if listed else 'report.json'}"

    @property
    def next_step(self) -> tuple[str, str] | None:
        """What to mend, and the one command that goes on; None for a complete run."""
        if self.complete:
            return None
        if self.not_sent:
            return "Go on with", self.context.apply_command
        if self.too_many_rejects:
            return "Mend the rows or the export, then", self.context.load_command
        return "Load again with", self.context.load_command

    def to_dict(self) -> dict[str, Any]:
        """The document report.json, as docs/report.schema.json says."""
        fields = asdict(self)
        del fields["context"]
        long = {name: fields.pop(name) for name in LONG}
        step, command = self.next_step or ("", "")
        return {
            "schema": SCHEMA,
            "complete": self.complete,
            "missing": self.missing,
            "listed_in": self.listed_in,
            "next_step": step,
            "next_command": command,
            **fields,
            "rejected": self.rejected,
            "source_changed": self.source_changed,
            "mismatch": self.mismatch,
            "seconds": round(self.seconds, 3),
            **self.context.to_dict(),
            "sums": [one.to_dict() for one in self.sums],
            **long,
        }


def account(
    plan: Plan,
    outcomes: Sequence[SliceOutcome],
    folder: str,
    context: RunContext,
    max_rejects: int = 0,
) -> Report:
    """Add up a plan and what came of applying it."""
    refused = [Reject(cause, 0, key) for outcome in outcomes for key, cause in outcome.rejects]
    not_sent = _merge([entry for outcome in outcomes for entry in outcome.not_sent])
    return Report(
        run=plan.run,
        export=plan.export,
        source=plan.source,
        table=plan.table,
        folder=folder,
        rows_read=plan.rows_read,
        rows_grouped=plan.rows - plan.keyless_rows,
        rows_rejected=plan.keyless_rows,
        items=plan.items,
        changes=plan.changes,
        put=sum(outcome.acknowledged for outcome in outcomes),
        rejected_by_plan=plan.rejected_items,
        split_items=plan.split_items,
        truncated_items=plan.truncated_items,
        dropped_elements=plan.dropped_elements,
        rejected_by_table=sum(outcome.rejected for outcome in outcomes),
        not_sent=sum(entry.changes for entry in not_sent),
        requests=sum(outcome.requests for outcome in outcomes),
        retries=sum(outcome.retries for outcome in outcomes),
        throttled=sum(outcome.throttled for outcome in outcomes),
        write_units=round(sum(outcome.consumed for outcome in outcomes), 3),
        plan_seconds=round(plan.seconds, 3),
        max_rejects=max_rejects,
        warehouse_rows_before=plan.warehouse_rows_before,
        warehouse_rows_after=plan.warehouse_rows_after,
        warehouse_keys=plan.warehouse_keys,
        rejects=plan.rejects + refused,
        partitions_not_sent=not_sent,
        partitions=measures.partitions(plan),
        queries=measures.queries(plan),
        over_time=measures.over_time(
            [outcome.by_second for outcome in outcomes], context.apply_began
        ),
        plan_facts=measures.plan_facts(plan),
        context=context,
    )


def _merge(entries: list[NotSent]) -> list[NotSent]:
    merged: dict[tuple[int, str], NotSent] = {}
    for entry in entries:
        place = (entry.partition, entry.cause)
        known = merged.setdefault(place, replace(entry, changes=0))
        known.changes += entry.changes
    return sorted(merged.values(), key=lambda entry: entry.partition)
