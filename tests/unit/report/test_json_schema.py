import json
import subprocess
import sys
from dataclasses import replace
from typing import Any

import jsonschema
import pytest

from loader.plan.partition_result import PartitionResult
from loader.report.json_schema import Field, report_fields, report_schema
from loader.report.reconciliation import reconcile
from loader.report.run_context import RunContext
from loader.report.totals import Report
from loader.storage.slice_outcome import NotSent, SliceOutcome
from tests.support.example_plan import KEYLESS, partition, planned
from tests.support.example_report import COMPLETE, CONTEXT
from tests.support.repository import REPOSITORY

PUBLISHED = REPOSITORY / "docs" / "report.schema.json"
SCHEMA = jsonschema.Draft202012Validator(report_schema())


def problems(document: Any) -> list[str]:
    return [error.message for error in SCHEMA.iter_errors(json.loads(json.dumps(document)))]


def incomplete() -> Report:
    """A report with one entry in every list."""
    nowhere = PartitionResult(None, rows=1, rows_read=1, keyless_rows=1)
    plan = planned(partition(0, 10, rejected=1), partition(5, 20), KEYLESS, nowhere)
    plan.warehouse_rows_before, plan.warehouse_rows_after, plan.warehouse_keys = 96, 97, 31
    outcome = SliceOutcome(
        0, 22, 3, 1, 1, 12.5, 1, [('"user_id":{"S":"x"}', "refused")], [NotSent(5, 7, "busy")],
        by_second={1_767_323_052: (22, 12.5, 1)},
        throttles={"by_item IndexWriteProvisionedThroughputExceeded": 1},
        pace_fallback="cannot connect to the driver",
        units_by_second={1_767_323_052: {"": 10.5, "by_item": 2.0}},
    )  # fmt: skip
    context = replace(CONTEXT, allowed=[(1_767_323_052.5, {"": 1_000.0, "by_item": 500.0})])
    return reconcile(plan, [outcome], ".loader/run", context)


@pytest.mark.parametrize(
    "report",
    [
        COMPLETE,
        incomplete(),
        reconcile(planned(), [], "f", RunContext()),
        reconcile(planned(), [], "f", CONTEXT, max_rejects=5),
    ],
)
def test_every_report_conforms_to_the_schema(report: Report) -> None:
    assert problems(report.to_dict()) == []


def test_an_unknown_field_and_a_missing_field_break_the_schema() -> None:
    document = COMPLETE.to_dict()
    without = {name: value for name, value in document.items() if name != "not_sent"}

    assert problems({**document, "unknown": 1}) == [
        "Additional properties are not allowed ('unknown' was unexpected)"
    ]
    assert problems(without) == ["'not_sent' is a required property"]


@pytest.mark.parametrize(
    "change",
    [
        {"schema": 1},
        {"put": -1},
        {"put": 1.5},
        {"plan_seconds": -0.1},
        {"billing_mode": "FREE"},
        {"over_time": {"seconds_per_point": 0, "points": []}},
        {"rejects": [{"reason": "x", "rows": 1}]},
        {"equations": [{"name": "rows", "left": {}, "right": [], "holds": True}]},
    ],
)
def test_a_value_of_another_type_or_range_breaks_the_schema(change: dict[str, Any]) -> None:
    assert problems({**COMPLETE.to_dict(), **change}) != []


def test_the_schema_is_valid_and_published() -> None:
    jsonschema.Draft202012Validator.check_schema(report_schema())

    assert json.loads(PUBLISHED.read_text()) == report_schema()


def test_every_field_has_a_type_and_a_sentence_that_describes_it() -> None:
    fields = report_fields()

    assert [field.name for field in fields if not field.type] == []
    assert [field.name for field in fields if not field.description.endswith(".")] == []
    assert len({field.name for field in fields}) == len(fields)


def test_the_fields_are_listed_in_the_order_of_the_document() -> None:
    fields = [field for field in report_fields() if "." not in field.name]

    assert [field.name for field in fields] == list(COMPLETE.to_dict())


def test_fields_of_nested_objects_are_named_by_their_path() -> None:
    fields = {field.name: field for field in report_fields()}

    assert fields["equations[].right[].count"].type == "integer"
    assert fields["over_time.points[].second"].type == "integer"
    assert fields["warehouse_keys"] == Field(
        "warehouse_keys",
        "integer or null",
        "Distinct keys counted by the warehouse, or null.",
    )


def test_a_load_imports_neither_pydantic_nor_jinja2_for_its_totals() -> None:
    code = "import sys, loader.report.files, loader.report.lines; print({*sys.modules})"

    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )

    assert "loader.report.files" in result.stdout
    assert "'pydantic'" not in result.stdout
    assert "'jinja2'" not in result.stdout
