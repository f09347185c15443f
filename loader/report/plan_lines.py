"""The output of `loader plan` for one export: lines for a terminal, facts for `--json`."""

from dataclasses import asdict
from datetime import datetime
from typing import Any

from loader.dbt.gate_result import Gate
from loader.dynamodb.allowed_rates import write_rates, writes_text
from loader.dynamodb.description import TableDescription
from loader.items.limits import ITEM_BYTES
from loader.next_command import apply_command
from loader.plan.guards import guard_flags, guard_lines, guard_problems
from loader.plan.partition_result import KEY_EXAMPLES
from loader.plan.result import Plan
from loader.printable import plain_key, short_key
from loader.report.ages import ago
from loader.report.formats import titled
from loader.report.lines import oversize_lines, reject_lines
from loader.storage.rejects import REJECTS_FILE

LARGEST = 3
KINDS = ("new", "changed", "deleted")
# The order of `--json`.
FACTS = (
    *("run", "export", "model", "table", "region", "folder", "partitions", "queries", "seconds"),
    *("rows", "same_rows", "keyless_rows", "warehouse_rows_before", "warehouse_rows_after"),
    *("warehouse_keys", "source_changed", "fullest_partition", "items", "rejected_items"),
    *("largest", "split_items", "truncated_items", "dropped_elements", "changes", "write_units"),
    *("has_state", "base", "folded", "distributed", "state_keys", "keys_after", "new", "changed"),
    *("rewritten", "unchanged", "deletes", "held_back", "kept", "examples", "change_bytes"),
    *("full_write_units", "limits", "guard_problems", "write_limit"),
    *("dbt_gate", "described", "notes", "estimate", "full_estimate", "rejects"),
)


def plan_lines(plan: Plan, folder: str, now: datetime) -> list[str]:
    """One line per fact, in the order of the run; `now` dates the dbt tests."""
    speed = plan.rows / plan.seconds if plan.seconds else 0.0
    return [
        f"{plan.export}   {plan.model} → DynamoDB table {plan.table} ({_place(plan)})",
        f"  checks     warehouse ok · {_table(plan)} · {gate_text(plan.dbt_gate, now)}",
        *(f"  note       {note}" for note in (*_gate_notes(plan.dbt_gate), *plan.notes)),
        f"  read       {_rows(plan)} in {plan.partitions} partitions, "
        f"{plan.queries} queries at a time, {plan.seconds:.1f} s, {speed:,.0f} rows/s",
        *_counted(plan),
        *_skew(plan),
        *_items(plan),
        *_changes(plan),
        *titled("guards", guard_lines(plan.guard_facts, plan.limits, *_allowed(plan))),
        *_cost(plan),
        *oversize_lines(plan),
        *reject_lines(
            plan.keyless_rows, plan.rejected_items, plan.rejects, plan.settings.max_rejects
        ),
        *([f"  list       {folder}/{REJECTS_FILE}"] if plan.rejects else []),
        f"Nothing was written. {_advice(plan)}:  {_apply_command(plan, folder)}",
    ]


def _rows(plan: Plan) -> str:
    same = plan.same_rows
    return f"{plan.rows - same:,} rows, {same:,} the same," if same else f"{plan.rows:,} rows"


def _apply_command(plan: Plan, folder: str) -> str:
    flags = guard_flags(plan.guard_facts, plan.limits)
    return apply_command(plan.settings, folder, flags)


def _allowed(plan: Plan) -> tuple[int | None, int | None]:
    return plan.settings.allow_deletes, plan.settings.allow_changes


def _advice(plan: Plan) -> str:
    """What to do with the changeset; more rejects than are allowed make it incomplete."""
    if guard_problems(plan.guard_facts, plan.limits, *_allowed(plan)):
        return "REFUSED by a guard: check the model and plan again, or apply exactly these changes"
    rejects, allowed = plan.keyless_rows + plan.rejected_items, plan.settings.max_rejects
    if rejects <= allowed:
        return "Apply it"
    return (
        f"{rejects:,} rejects, and --max-rejects allows {allowed:,}: fix the rows or the export "
        "and plan again, or apply the others"
    )


def plan_facts(plan: Plan, folder: str) -> dict[str, Any]:
    """The same facts as a JSON object."""
    partition, rows = plan.fullest_partition
    largest = plan.largest_items(LARGEST)
    facts = {
        "notes": plan.notes,
        "write_limit": _limit(plan),
        "folder": folder,
        "fullest_partition": {"partition": partition, "rows": rows, "times_mean": plan.skew},
        "largest": [{"key": plain_key(key), "bytes": size} for key, size in largest],
        "dbt_gate": asdict(plan.dbt_gate),
        "described": asdict(plan.described) if plan.described else None,
        "estimate": asdict(plan.estimate) if plan.estimate else None,
        "full_estimate": asdict(plan.full_estimate) if plan.full_estimate else None,
        "examples": {k: [plain_key(key) for key in _examples(plan, k)] for k in KINDS},
        "change_bytes": sum(part.size for part in plan.parts),
        "limits": {
            n: v if isinstance(v, int) else v and str(v) for n, v in vars(plan.limits).items()
        },
        "guard_problems": guard_problems(plan.guard_facts, plan.limits, *_allowed(plan)),
        "rejects": [asdict(reject) for reject in plan.rejects],
    }
    return {name: facts[name] if name in facts else getattr(plan, name) for name in FACTS}


def _place(plan: Plan) -> str:
    """Region, billing mode, and write units per second as far as they are known."""
    table = plan.described
    if table is None:
        return f"{plan.region}, on demand, to be created"
    throughput = table.throughput
    facts = [plan.region, "on demand"]
    if not table.on_demand:
        facts[1] = f"provisioned {throughput.provisioned or 0:,} WCU"
    elif throughput.most:
        facts.append(f"at most {throughput.most:,} WCU/s")
    if throughput.warm:
        facts.append(f"warm for {throughput.warm:,} WCU/s")
    return ", ".join(facts)


def _table(plan: Plan) -> str:
    table = plan.described
    if table is None:
        return "table missing, to be created"
    return "table ok" + ("" if table.status == "ACTIVE" else f", {table.status}")


def gate_text(gate: Gate, now: datetime) -> str:
    if gate.problem:
        return "dbt gate SKIPPED"
    if not gate.tests:
        return "no dbt tests"
    warned = f", {gate.warned} with a warning" if gate.warned else ""
    return f"dbt tests passed {ago(gate.finished, now)} ({gate.passed} of {gate.tests}{warned})"


def _gate_notes(gate: Gate) -> list[str]:
    """The problem that the skipped gate found, without its remedy; what it could not compare."""
    return [note for note in (gate.problem.split(": run `")[0], gate.note) if note]


def _counted(plan: Plan) -> list[str]:
    before, after = plan.warehouse_rows_before, plan.warehouse_rows_after
    keys = plan.warehouse_keys
    if before is None or keys is None or after is None:
        return []
    line = f"  counted    {before:,} rows and {keys:,} keys in the warehouse before the read, "
    if plan.source_changed:
        return [
            f"{line}{after:,} rows after it",
            "             the model CHANGED during the read: items may be from different times",
        ]
    return [f"{line}the same number of rows after it"]


def _skew(plan: Plan) -> list[str]:
    partition, rows = plan.fullest_partition
    if not rows:
        return []
    return [
        f"  skew       partition {partition} has the most: {rows:,} rows, "
        f"{plan.skew:.2f} × the mean"
    ]


def _items(plan: Plan) -> list[str]:
    largest = [
        f"{short_key(key)}: {size / 1024:,.1f} KB" for key, size in plan.largest_items(LARGEST)
    ]
    if not largest:
        return [f"  items      {plan.items:,}"]
    share = 100 * plan.largest[1] / ITEM_BYTES
    lines = [f"  items      {plan.items:,}   largest {largest[0]} ({share:.0f} % of the limit)"]
    if largest[1:]:
        lines.append(f"             then {', '.join(largest[1:])}")
    return lines


def _changes(plan: Plan) -> list[str]:
    """The changes by kind, why some are not made, and some of their keys."""
    again = f"    ? {plan.rewritten:,} put again" if plan.rewritten else ""
    lines = [
        f"  changes    + {plan.new:,} new    ~ {plan.changed:,} changed    "
        f"- {plan.deletes:,} gone    = {plan.unchanged:,} unchanged{again}"
    ]
    if plan.held_back:
        without_key = "a row without a key may be of any key"
        cause = without_key if plan.keyless_rows else "the model changed during the read"
        lines.append(f"  held back  {plan.held_back:,} deletes: {cause}")
    if plan.kept:
        lines.append(f"  kept       {plan.kept:,} items of the table whose new item is rejected")
    for kind in KINDS if plan.has_state else ():
        if examples := _examples(plan, kind):
            lines.append(f"  {kind:<10} {', '.join(map(short_key, examples))}")
    return lines


def _examples(plan: Plan, kind: str) -> list[str]:
    return plan.key_examples(kind)[:KEY_EXAMPLES]


def _cost(plan: Plan) -> list[str]:
    estimate = plan.estimate
    if estimate is None:
        return []
    indexes = estimate.write_units - estimate.table_units
    split = f" ({indexes:,} of them for indexes)" if indexes else ""
    return [
        f"  cost       {estimate.write_units:,} write units{split}, "
        f"about {dollars(estimate.dollars)} and {max(1, round(estimate.seconds)):,} s "
        f"at {estimate.rate:,} WCU/s{_full_cost(plan)}",
        f"  limit      {_limit(plan)}",
        *(f"  assumed    {line}" for line in estimate.assumptions),
    ]


def _limit(plan: Plan) -> str:
    table = plan.described or TableDescription(plan.table, (), "", on_demand=True)
    return writes_text(write_rates(plan.write_capacity, table))


def _full_cost(plan: Plan) -> str:
    """The cost of putting every item, if the plan puts only some."""
    full, planned = plan.full_estimate, plan.estimate
    if full is None or planned is None or full.write_units == planned.write_units:
        return ""
    return f"   (a full load: {full.write_units:,} units, {dollars(full.dollars)})"


def dollars(amount: float) -> str:
    """With cents from one dollar, and with two significant digits below it."""
    rounded = float(f"{amount:.2g}")
    if rounded >= 1:
        return f"${amount:,.2f}"
    return "$" + (f"{rounded:.10f}".rstrip("0").rstrip(".") or "0")
