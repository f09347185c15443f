import json
from typing import Any

import jsonschema
import pytest

from loader.apply.outcome import NotSent, SliceOutcome
from loader.plan.result import PartitionResult
from loader.report.context import RunContext
from loader.report.totals import Report, account
from tests.support.example_plan import KEYLESS, partition, planned
from tests.support.example_report import COMPLETE, CONTEXT
from tests.support.repository import REPOSITORY

PLACE = REPOSITORY / "docs" / "report.schema.json"
SCHEMA = jsonschema.Draft202012Validator(json.loads(PLACE.read_text()))


def problems(document: Any) -> list[str]:
    return [error.message for error in SCHEMA.iter_errors(json.loads(json.dumps(document)))]


def incomplete() -> Report:
    """One of everything that a report may list."""
    nowhere = PartitionResult(None, rows=1, rows_read=1, keyless_rows=1)
    plan = planned(partition(0, 10, rejected=1), partition(5, 20), KEYLESS, nowhere)
    plan.warehouse_rows_before, plan.warehouse_rows_after, plan.warehouse_keys = 96, 97, 31
    outcome = SliceOutcome(
        0, 22, 3, 1, 1, 12.5, 1, [('"user_id":{"S":"x"}', "refused")], [NotSent(5, 7, "busy")],
        by_second={1_767_323_052: (22, 12.5, 1)},
    )  # fmt: skip
    return account(plan, [outcome], ".loader/run", CONTEXT)


@pytest.mark.parametrize(
    "report",
    [
        COMPLETE,
        incomplete(),
        account(planned(), [], "f", RunContext(settings={"spark": {}}, versions=CONTEXT.versions)),
    ],
)
def test_every_report_is_of_the_schema(report: Report) -> None:
    assert problems(report.to_dict()) == []


def test_a_report_with_another_field_or_without_one_is_not_of_the_schema() -> None:
    document = COMPLETE.to_dict()
    without = {name: value for name, value in document.items() if name != "not_sent"}

    assert problems({**document, "unknown": 1}) == [
        "Additional properties are not allowed ('unknown' was unexpected)"
    ]
    assert problems(without) == ["'not_sent' is a required property"]
