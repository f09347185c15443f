"""The totals of a run, as report.json has them; if they do not add up, the run fails."""

from dataclasses import asdict, dataclass, field
from datetime import datetime, timezone
from typing import Annotated, Any

from loader.plan.partition_result import Reject
from loader.report.equation import Equation, Term
from loader.report.field_annotations import Amount, Count, doc
from loader.report.metrics import OverTime, Partition, Query
from loader.report.pace import Pace
from loader.report.run_context import RunContext
from loader.storage.rejects import REJECTS_FILE
from loader.storage.slice_outcome import NotSent
from loader.warehouse.count_change import source_changed

SCHEMA = 3  # of report.json: raise it when a field is removed, renamed or changes its meaning
# The order of report.json: the result first, long lists last, all other fields between.
FIRST = ("complete", "missing", "listed_in", "next_step", "next_command")
LAST = ("equations", "rejects", "partitions_not_sent", "over_time", "queries", "partitions")
COMPUTED = (
    *(*FIRST, "rows", "rejected", "source_changed", "mismatch", "seconds", "apply_began"),
    "equations",
)
DEVIATION = (
    "Percent by which {} is above the mean of the last ten runs; negative below it; or null."
)
HIDDEN = ("context", "changes_before", "allowed", "load_command", "resume_command")


@dataclass
class Report:
    """What one run did to one table. docs/report.schema.json is generated from it."""

    run: Annotated[str, doc("Name of the run: its start in UTC.")]
    export: Annotated[str, doc("Name of the export.")]
    model: Annotated[str, doc("dbt model that was read.")]
    table: Annotated[str, doc("DynamoDB table that was written.")]
    folder: Annotated[str, doc("Folder of the run.")]
    rows_read: Annotated[Count, doc("Rows that the warehouse returned.")]
    rows_same: Annotated[
        Count, doc("Rows of unchanged keys, compared in the warehouse and not read.")
    ]
    rows_grouped: Annotated[Count, doc("Rows with a key.")]
    rows_rejected: Annotated[Count, doc("Rows without a key.")]
    items: Annotated[Count, doc("Distinct keys among the rows, rejected items included.")]
    split_items: Annotated[Count, doc("Puts beyond the first of a key, with `split`.")]
    truncated_items: Annotated[Count, doc("Items that lost elements, with `truncate`.")]
    dropped_elements: Annotated[Count, doc("Elements that truncated items lost.")]
    unchanged: Annotated[Count, doc("Items that the table has already, so that they are not put.")]
    new: Annotated[Count, doc("Planned puts of items whose key the table did not have.")]
    changed: Annotated[Count, doc("Planned puts of items that replace another item.")]
    rewritten: Annotated[Count, doc("Planned puts of items that may be unchanged.")]
    deletes: Annotated[Count, doc("Planned deletes: keys that the model no longer has.")]
    held_back: Annotated[Count, doc("Deletes left out: rows have no key, or the model changed.")]
    kept: Annotated[Count, doc("Old items that stay because the new ones were rejected.")]
    changes: Annotated[Count, doc("Planned puts and deletes.")]
    put: Annotated[Count, doc("Puts that DynamoDB acknowledged.")]
    deleted: Annotated[Count, doc("Deletes that DynamoDB acknowledged.")]
    keys_before: Annotated[Count, doc("Keys that the table had, as far as the loader knows.")]
    keys_after: Annotated[Count, doc("Keys that the table has if all planned changes are written.")]
    rejected_by_plan: Annotated[Count, doc("Items that the plan rejected.")]
    rejected_by_table: Annotated[Count, doc("Changes that DynamoDB rejected.")]
    max_rejects: Annotated[Count, doc("Rejected rows and items that the run may have.")]
    not_sent: Annotated[Count, doc("Changes that DynamoDB did not acknowledge.")]
    requests: Annotated[Count, doc("Requests sent to DynamoDB.")]
    retries: Annotated[Count, doc("Requests that were sent again.")]
    throttled: Annotated[Count, doc("Requests that DynamoDB throttled.")]
    pace: Annotated[Pace, doc("Why writes were slowed.")]
    write_units: Annotated[Amount, doc("Write units that DynamoDB reported.")]
    warehouse_rows_before: Annotated[Count | None, doc("Rows counted before the read, or null.")]
    warehouse_rows_after: Annotated[Count | None, doc("Rows counted after the read, or null.")]
    warehouse_keys: Annotated[Count | None, doc("Distinct keys counted by the warehouse, or null.")]
    plan_seconds: Annotated[Amount, doc("Wall time of reading the warehouse and grouping rows.")]
    plan_facts: Annotated[dict[str, Any], doc("The plan's `dbt_gate`, and `estimate` if known.")]
    notes: Annotated[list[str], doc("Remarks of the plan on the state and on the table.")]
    rejects: Annotated[list[Reject], doc("First rejects of each partition and slice.")]
    partitions_not_sent: Annotated[list[NotSent], doc("Unsent changes, per partition and cause.")]
    over_time: Annotated[OverTime, doc("The apply over time, by the executors' clocks.")]
    queries: Annotated[list[Query], doc("Queries that returned rows.")]
    partitions: Annotated[list[Partition], doc("Partitions that have rows.")]
    context: RunContext
    serial: Annotated[Count | None, doc("Serial of the state that the run committed, or null.")] = (
        None
    )
    rows_deviation: Annotated[float | None, doc(DEVIATION.format("`rows`"))] = None
    changes_deviation: Annotated[float | None, doc(DEVIATION.format("`changes`"))] = None
    deletes_deviation: Annotated[float | None, doc(DEVIATION.format("`deletes`"))] = None
    deviates: Annotated[list[str], doc("Which of them differ strongly; `notes` say how.")] = field(
        default_factory=list
    )

    @property
    def complete(self) -> bool:
        """Whether rejects are within `max_rejects`, all others were sent, and the totals add up."""
        return not (self.too_many_rejects or self.not_sent or self.mismatch)

    @property
    def missing(self) -> list[str]:
        """Reasons why the run is incomplete, one phrase per reason."""
        rejected, rows = (self.rejected, self.rows_rejected) if self.too_many_rejects else (0, 0)
        phrases = []
        if self.not_sent:
            phrases.append(f"{self.not_sent:,} of {self.changes:,} changes were not acknowledged")
        if rejected:
            phrases.append(f"{rejected:,} of {self.all_items:,} items were rejected")
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
            return "Continue with"
        return "Fix the rows or the export, then" if self.too_many_rejects else "Load again with"

    @property
    def next_command(self) -> str:
        """The command that continues; empty for a complete run."""
        if self.complete:
            return ""
        return self.context.resume_command if self.not_sent else self.context.load_command

    @property
    def rejected(self) -> int:
        """Items that the plan or DynamoDB rejected."""
        return self.rejected_by_plan + self.rejected_by_table

    @property
    def rows(self) -> int:
        """Rows that the model has."""
        return self.rows_read + self.rows_same

    @property
    def puts(self) -> int:
        """Planned puts."""
        return self.new + self.changed + self.rewritten

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
        return None if before is None or after is None else source_changed(before, after)

    @property
    def mismatch(self) -> list[str]:
        """The equations that do not hold, with their numbers."""
        return [equation.problem for equation in self.equations if not equation.holds]

    @property
    def seconds(self) -> float:
        """Wall time of all phases."""
        context = self.context
        others = (context.start_seconds, context.check_seconds, context.apply_seconds)
        return round(self.plan_seconds + sum(others), 3)

    @property
    def apply_began(self) -> str | None:
        """Start of the apply, UTC; null if it did not begin."""
        if not self.context.apply_began:
            return None
        began = datetime.fromtimestamp(self.context.apply_began, timezone.utc)
        return began.isoformat(timespec="seconds")

    @property
    def equations(self) -> list[Equation]:
        """Equations between the totals; with the warehouse's counts unless the model changed."""
        items = Term("items", self.items)
        rows = Term("rows read", self.rows_read)
        if self.rows_same:
            rows = Term("rows read or the same", self.rows)
        grouped = Term("rows grouped", self.rows_grouped)
        puts = Term("puts planned", self.puts)
        deletes = Term("deletes planned", self.deletes)
        unchanged = Term("unchanged", self.unchanged)
        plan_rejects = Term("rejected by the plan", self.rejected_by_plan)
        put, deleted = Term("put", self.put), Term("deleted", self.deleted)
        table_rejects = Term("rejected by DynamoDB", self.rejected_by_table)
        all_items = Term("items and split items", self.all_items) if self.split_items else items
        equations = [
            Equation("rows", rows, [grouped, Term("rows rejected", self.rows_rejected)]),
            Equation("items", all_items, [puts, unchanged, plan_rejects]),
            Equation("planned", Term("changes", self.changes), [puts, deletes]),
            Equation(
                "changes",
                Term("changes", self.changes),
                [put, deleted, table_rejects, Term("not sent", self.not_sent)],
            ),
            Equation(
                "keys",
                Term("keys before and new ones", self.keys_before + self.new),
                [Term("keys after", self.keys_after), deletes],
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
