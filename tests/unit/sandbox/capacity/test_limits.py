from __future__ import annotations

from typing import Any

import pytest

from sandbox.capacity.limits import (
    Limits,
    TableLimits,
    changed_limits,
    described_limits,
    overlaid,
    updated_limits,
)
from tests.support.capacity_tables import description

DESCRIBED = described_limits(description())


def test_a_provisioned_table_has_the_limits_that_its_description_shows() -> None:
    assert described_limits(description()) == TableLimits(
        "provisioned", {"": Limits(write=100, read=50), "by_mail": Limits(write=10, read=5)}
    )


def test_a_new_on_demand_table_sustains_what_is_documented() -> None:
    on_demand = description(
        BillingModeSummary={"BillingMode": "PAY_PER_REQUEST"},
        OnDemandThroughput={"MaxWriteRequestUnits": 500, "MaxReadRequestUnits": -1},
        GlobalSecondaryIndexes=[],
    )
    limits = Limits(write=4_000, read=12_000, max_write=500)
    assert described_limits(on_demand) == TableLimits("on_demand", {"": limits})


def test_a_change_keeps_what_it_does_not_name() -> None:
    change = {"write": 500, "burst": False, "indexes": {"by_mail": {"partitions": 2}}}
    assert changed_limits(DESCRIBED, change) == TableLimits(
        "provisioned",
        {
            "": Limits(write=500, read=50),
            "by_mail": Limits(write=10, read=5, partitions=2),
        },
        burst=False,
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"writes": 1}, "a limit must be one of "),
        ({"write": 0}, "write must be a number above 0, got 0"),
        ({"write": "5"}, "write must be a number above 0, got '5'"),
        ({"partition_write": None}, "partition_write must be a number above 0, got None"),
        ({"mode": "free"}, "mode must be provisioned or on_demand, got 'free'"),
        ({"growth_seconds": -1}, "growth_seconds must be a number above 0, got -1"),
        ({"indexes": {"by_size": {"write": 1}}}, "the index must exist, got 'by_size'"),
    ],
)
def test_a_wrong_change_is_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        changed_limits(DESCRIBED, change)


@pytest.mark.parametrize(
    ("request_", "table", "index"),
    [
        (
            {
                "ProvisionedThroughput": {"WriteCapacityUnits": 7, "ReadCapacityUnits": 8},
                "GlobalSecondaryIndexUpdates": [
                    {
                        "Update": {
                            "IndexName": "by_mail",
                            "ProvisionedThroughput": {
                                "WriteCapacityUnits": 3,
                                "ReadCapacityUnits": 4,
                            },
                        }
                    }
                ],
            },
            Limits(write=7, read=8),
            Limits(write=3, read=4),
        ),
        (
            {"WarmThroughput": {"WriteUnitsPerSecond": 9_000, "ReadUnitsPerSecond": 20}},
            Limits(write=9_000, read=50, warm_write=9_000, warm_read=20),
            Limits(write=10, read=5),
        ),
    ],
)
def test_update_table_changes_limits(
    request_: dict[str, Any], table: Limits, index: Limits
) -> None:
    assert updated_limits(DESCRIBED, request_).resources == {"": table, "by_mail": index}


def test_update_table_to_on_demand_sustains_at_least_what_a_new_table_does() -> None:
    request = {"BillingMode": "PAY_PER_REQUEST", "OnDemandThroughput": {"MaxWriteRequestUnits": 9}}
    updated = updated_limits(DESCRIBED, request)
    assert updated.mode == "on_demand"
    assert updated.resources[""] == Limits(write=4_000, read=12_000, max_write=9)


def test_describe_table_shows_the_provisioned_capacity_that_is_set_now() -> None:
    changed = changed_limits(DESCRIBED, {"write": 500, "indexes": {"by_mail": {"write": 250}}})
    shown = overlaid(description(), changed)
    assert shown["BillingModeSummary"] == {"BillingMode": "PROVISIONED"}
    assert shown["ProvisionedThroughput"]["WriteCapacityUnits"] == 500
    [index] = shown["GlobalSecondaryIndexes"]
    assert index["ProvisionedThroughput"]["WriteCapacityUnits"] == 250
    assert "OnDemandThroughput" not in shown
    assert "WarmThroughput" not in shown


def test_describe_table_hides_what_an_on_demand_table_sustains() -> None:
    hidden = changed_limits(DESCRIBED, {"mode": "on_demand", "write": 3_000})
    shown = overlaid(description(OnDemandThroughput={"MaxWriteRequestUnits": 1}), hidden)
    assert shown["BillingModeSummary"] == {"BillingMode": "PAY_PER_REQUEST"}
    assert shown["ProvisionedThroughput"]["WriteCapacityUnits"] == 0
    assert "OnDemandThroughput" not in shown
    assert "WarmThroughput" not in shown


def test_describe_table_shows_the_maximum_and_the_warm_throughput_of_an_on_demand_table() -> None:
    change = {"mode": "on_demand", "max_write": 800, "warm_write": 6_000}
    shown = overlaid(description(), changed_limits(DESCRIBED, change))
    assert shown["OnDemandThroughput"] == {"MaxWriteRequestUnits": 800, "MaxReadRequestUnits": -1}
    assert shown["WarmThroughput"] == {
        "ReadUnitsPerSecond": 12_000,
        "WriteUnitsPerSecond": 6_000,
        "Status": "ACTIVE",
    }
