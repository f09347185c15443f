"""The totals of a run: pure sums over a plan and its outcomes. They add up, or the run fails."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timezone
from typing import Annotated, Any

from loader.apply.outcome import NotSent, SliceOutcome
from loader.plan.result import Plan, Reject
from loader.report import metrics
from loader.report.context import RunContext
from loader.report.described import Amount, Count, doc
from loader.storage.rejects import REJECTS_FILE

SCHEMA = 1  # of report.json: raise it when a field is removed or changes its meaning
# The order of report.json: the result first, long lists last, all other fields between.
FIRST = ("complete", "missing", "listed_in", "next_step", "next_command")
LAST = ("equations", "rejects", "partitions_not_sent", "over_time", "queries", "partitions")
COMPUTED = (*FIRST, "rejected", "source_changed", "mismatch", "seconds", "apply_began", "equations")
HIDDEN = ("context", "load_command", "apply_command")


@dataclass(frozen=True)
class Term:
    """One number of an equation."""

    what: Annotated[str, doc("What is counted.")]
    count: Annotated[int, doc("How many.")]


@dataclass
class Equation:
    """One equation of the totals: the left count must be the sum of the right ones."""

    name: Annotated[str, doc("Name of the equation.")]
    left: Annotated[Term, doc("The left side.")]
    right: Annotated[list[Term], doc("The terms of the right side.")]
    holds: Annotated[bool, doc("Whether both sides are equal.")] = field(init=False, default=False)

    def __post_init__(self) -> None:
        self.holds = self.left.count == sum(term.count for term in self.right)

    @property
    def problem(self) -> str:
        """The broken rule with its numbers."""
        what = " + ".join(term.what for term in self.right)
        counts = " + ".join(f"{term.count:,}" for term in self.right)
        return f"{self.left.what} must be {what}, got {self.left.count:,} and {counts}"


@dataclass
class Report:
    """What one run did to one table. docs/report.schema.json is generated from it."""

    run: Annotated[str, doc("Name of the run: its start in UTC.")]
    export: Annotated[str, doc("Name of the export.")]
    model: Annotated[str, doc("dbt model that was read.")]
    table: Annotated[str, doc("DynamoDB table that was written.")]
    folder: Annotated[str, doc("Folder of the run.")]
    rows_read: Annotated[Count, doc("Rows that the warehouse returned.")]
    rows_grouped: Annotated[Count, doc("Rows with a key.")]
    rows_rejected: Annotated[Count, doc("Rows without a key.")]
    items: Annotated[Count, doc("Distinct keys among the rows, rejected items included.")]
    changes: Annotated[Count, doc("Puts that the plan made: one per item or split item.")]
    put: Annotated[Count, doc("Puts that DynamoDB acknowledged.")]
    rejected_by_plan: Annotated[Count, doc("Items that the plan rejected.")]
    rejected_by_table: Annotated[Count, doc("Items that DynamoDB rejected.")]
    not_sent: Annotated[Count, doc("Puts that DynamoDB did not acknowledge.")]
    requests: Annotated[Count, doc("Requests sent to DynamoDB.")]
    retries: Annotated[Count, doc("Requests that were sent again.")]
    throttled: Annotated[Count, doc("Requests that DynamoDB throttled.")]
    write_units: Annotated[Amount, doc("Write units that DynamoDB reported.")]
    plan_seconds: Annotated[
        Amount, doc("Wall time of reading and grouping; for `--changeset`, in an earlier command.")
    ]
    max_rejects: Annotated[Count, doc("Rejected rows and items that the run may have.")] = 0
    split_items: Annotated[Count, doc("Puts beyond the first of a key, with `split`.")] = 0
    truncated_items: Annotated[
        Count, doc("Items that were too large and lost elements, with `truncate`.")
    ] = 0
    dropped_elements: Annotated[Count, doc("Elements that truncated items lost.")] = 0
    warehouse_rows_before: Annotated[
        Count | None, doc("Rows that the warehouse counted before the read; null if not counted.")
    ] = None
    warehouse_rows_after: Annotated[
        Count | None, doc("Rows that the warehouse counted after the read; null if not counted.")
    ] = None
    warehouse_keys: Annotated[
        Count | None, doc("Distinct keys that the warehouse counted; null if not counted.")
    ] = None
    rejects: Annotated[
        list[Reject],
        doc("Rejects, at most 100 items per partition and per slice; rejects.jsonl has all."),
    ] = field(default_factory=list)
    partitions_not_sent: Annotated[
        list[NotSent], doc("Puts that were not sent, per partition and cause.")
    ] = field(default_factory=list)
    partitions: Annotated[list[metrics.Partition], doc("Partitions that have rows.")] = field(
        default_factory=list
    )
    queries: Annotated[list[metrics.Query], doc("Queries that returned rows.")] = field(
        default_factory=list
    )
    over_time: Annotated[
        metrics.OverTime, doc("The apply over time, by the executors' clocks.")
    ] = field(default_factory=metrics.OverTime)
    plan_facts: Annotated[
        dict[str, Any], doc("The plan's `estimate` and `dbt_gate`, where it has them.")
    ] = field(default_factory=dict)
    context: RunContext = field(default_factory=RunContext)

    @property
    def complete(self) -> bool:
        """Whether rejects are within `max_rejects`, all else was put, and all equations hold."""
        return not (self.too_many_rejects or self.not_sent or self.mismatch)

    @property
    def missing(self) -> list[str]:
        """What makes the run incomplete, one phrase each."""
        rejected, rows = (self.rejected, self.rows_rejected) if self.too_many_rejects else (0, 0)
        items = self.not_sent + rejected
        phrases = [f"{items:,} of {self.all_items:,} items were not put"] if items else []
        phrases += [f"{rows:,} rows have no key"] if rows else []
        phrases += ["the totals do not add up"] if self.mismatch else []
        return phrases

    @property
    def listed_in(self) -> str:
        """File that lists the missing items, or the equations that do not hold."""
        listed = self.rows_rejected or self.rejected or self.not_sent
        return f"{self.folder}/{REJECTS_FILE if listed else 'report.json'}"

    @property
    def next_step(self) -> str:
        """What to do next, before `next_command`; empty for a complete run."""
        if self.complete:
            return ""
        if self.not_sent:
            return "Go on with"
        return "Fix the rows or the export, then" if self.too_many_rejects else "Load again with"

    @property
    def next_command(self) -> str:
        """The command that continues; empty for a complete run."""
        if self.complete:
            return ""
        return self.context.apply_command if self.not_sent else self.context.load_command

    @property
    def rejected(self) -> int:
        """Items that the plan or DynamoDB rejected."""
        return self.rejected_by_plan + self.rejected_by_table

    @property
    def all_items(self) -> int:
        return self.items + self.split_items

    @property
    def too_many_rejects(self) -> bool:
        return self.rows_rejected + self.rejected > self.max_rejects

    @property
    def source_changed(self) -> bool | None:
        """Whether the two counts of rows differ; null if one is missing."""
        before, after = self.warehouse_rows_before, self.warehouse_rows_after
        return None if before is None or after is None else before != after

    @property
    def mismatch(self) -> list[str]:
        """The equations that do not hold, with their numbers."""
        return [equation.problem for equation in self.equations if not equation.holds]

    @property
    def seconds(self) -> float:
        """Wall time of all phases."""
        context = self.context
        before_plan = context.start_seconds + context.check_seconds
        return round(before_plan + self.plan_seconds + context.apply_seconds, 3)

    @property
    def apply_began(self) -> str:
        """Start of the apply, UTC."""
        began = datetime.fromtimestamp(self.context.apply_began, timezone.utc)
        return began.isoformat(timespec="seconds")

    @property
    def equations(self) -> list[Equation]:
        """Equations between the totals; those with the warehouse's counts only where comparable.

        The warehouse's counts are compared where it counted, unless its rows changed meanwhile.
        """
        rows, items = Term("rows read", self.rows_read), Term("items", self.items)
        grouped = Term("rows grouped", self.rows_grouped)
        puts = Term("puts planned", self.changes)
        all_items = Term("items and split items", self.all_items) if self.split_items else items
        equations = [
            Equation("rows", rows, [grouped, Term("rows rejected", self.rows_rejected)]),
            Equation(
                "items", all_items, [puts, Term("rejected by the plan", self.rejected_by_plan)]
            ),
            Equation(
                "changes",
                puts,
                [
                    Term("acknowledged", self.put),
                    Term("rejected by DynamoDB", self.rejected_by_table),
                    Term("not sent", self.not_sent),
                ],
            ),
        ]
        if self.source_changed:
            return equations
        counts = [
            ("warehouse before", "rows counted before the read", self.warehouse_rows_before, rows),
            ("warehouse after", "rows counted after the read", self.warehouse_rows_after, rows),
            ("warehouse keys", "distinct keys counted", self.warehouse_keys, items),
        ]
        return equations + [
            Equation(name, Term(what, count), [term])
            for name, what, count, term in counts
            if count is not None
        ]

    def to_dict(self) -> dict[str, Any]:
        """The document report.json, in the order of `document_names`."""
        computed = {name: getattr(self, name) for name in COMPUTED}
        computed["equations"] = [asdict(equation) for equation in self.equations]
        values = {**asdict(self), **asdict(self.context), **computed}
        return {"schema": SCHEMA, **{name: values[name] for name in document_names()}}


def document_names() -> list[str]:
    """The fields of report.json in order, without `schema`."""
    fields = [*Report.__dataclass_fields__, *COMPUTED, *RunContext.__dataclass_fields__]
    middle = dict.fromkeys(name for name in fields if name not in {*FIRST, *LAST, *HIDDEN})
    return [*FIRST, *middle, *LAST]


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
    slices = [outcome.by_second for outcome in outcomes]
    return Report(
        run=plan.run,
        export=plan.export,
        model=plan.source,
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
        rejects=plan.rejects + rejects,
        partitions_not_sent=not_sent,
        partitions=metrics.partitions(plan),
        queries=metrics.queries(plan),
        over_time=metrics.over_time(slices, context.apply_began),
        plan_facts=metrics.plan_facts(plan),
        context=context,
    )


def _merge(entries: list[NotSent]) -> list[NotSent]:
    """One entry per partition and cause, by partition."""
    merged: dict[tuple[int, str], NotSent] = {}
    for entry in entries:
        same = merged.setdefault((entry.partition, entry.cause), replace(entry, changes=0))
        same.changes += entry.changes
    return sorted(merged.values(), key=lambda entry: entry.partition)
