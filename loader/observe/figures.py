"""The metrics of a run: their names, units and values. Most are fields of report.json."""

from collections.abc import Mapping
from typing import Any

from loader.plan.result import Plan
from loader.report.reconciliation import reconcile
from loader.report.run_context import RunContext
from loader.report.totals import Report

PREFIX = "redshift_to_dynamodb."  # of names in OpenTelemetry, where no namespace has them
COUNT, SECONDS, PERCENT, NONE = "Count", "Seconds", "Percent", "None"
# Fields of report.json with the units of CloudWatch. A plan knows the first, also if nothing was
# written afterwards.
OF_PLAN = {
    **dict.fromkeys(("rows", "rows_read", "rows_same", "rows_rejected", "items"), COUNT),
    **dict.fromkeys(("split_items", "truncated_items", "dropped_elements"), COUNT),
    **dict.fromkeys(("unchanged", "new", "changed", "rewritten", "deletes"), COUNT),
    **dict.fromkeys(("held_back", "kept", "changes", "rejected_by_plan", "keys_before"), COUNT),
    "plan_seconds": SECONDS,
}
OF_REPORT = {
    **OF_PLAN,
    **dict.fromkeys(("put", "deleted", "rejected", "rejected_by_table", "not_sent"), COUNT),
    **dict.fromkeys(("keys_after", "requests", "retries", "throttled", "write_units"), COUNT),
    **dict.fromkeys(("start_seconds", "check_seconds", "apply_seconds"), SECONDS),
    **dict.fromkeys(("rows_deviation", "changes_deviation", "deletes_deviation"), PERCENT),
}
# Metrics of every run, whatever its end: the unit, and the meaning.
OF_EVERY_RUN = {
    "runs": (COUNT, "Always 1: a run has ended. No data: a run is missing."),
    "complete": (COUNT, "1 if the run is complete, else 0."),
    "incomplete": (COUNT, "1 if the run has a report that is incomplete, else 0."),
    "refused": (COUNT, "1 if the run was refused before its first write, else 0."),
    "guarded": (COUNT, "1 if it was refused because a guard was broken, else 0."),
    "failed": (COUNT, "1 if the run failed and has no report, else 0."),
    "interrupted": (COUNT, "1 if a signal ended the run, else 0."),
    "deviates": (
        COUNT,
        "How many of rows, changes and deletes differ strongly from the last runs.",
    ),
    "undelivered": (COUNT, "Traces, metrics and notifications that could not be delivered."),
    "exit_code": (NONE, "Exit code of the command."),
    "seconds": (SECONDS, "Wall time of the run; without a report, of the command."),
}
UNITS = {**{name: unit for name, (unit, _) in OF_EVERY_RUN.items()}, **OF_REPORT}


def report_figures(report: Report) -> dict[str, float]:
    """The values of a report; a field that is null has none."""
    return {**_values(report, OF_REPORT), "seconds": report.seconds}


def plan_figures(plan: Plan) -> dict[str, float]:
    """The values of a plan of which nothing is known to be written."""
    return _values(reconcile(plan, [], "", RunContext()), OF_PLAN)


def _values(report: Report, names: Mapping[str, Any]) -> dict[str, float]:
    values = {
        name: getattr(report if hasattr(report, name) else report.context, name) for name in names
    }
    return {name: value for name, value in values.items() if value is not None}
