import json
from dataclasses import asdict
from typing import Any

import pytest
from pydantic import TypeAdapter

from loader.dynamodb.description import Index, TableDescription, Throughput, read_description

TABLE: dict[str, Any] = {
    "AttributeDefinitions": [
        {"AttributeName": "day", "AttributeType": "N"},
        {"AttributeName": "country", "AttributeType": "S"},
        {"AttributeName": "user_id", "AttributeType": "S"},
    ],
    "KeySchema": [
        {"AttributeName": "day", "KeyType": "RANGE"},
        {"AttributeName": "user_id", "KeyType": "HASH"},
    ],
    "TableStatus": "ACTIVE",
}
KEY = (("user_id", "S"), ("day", "N"))
INDEXES = {
    "GlobalSecondaryIndexes": [
        {
            "IndexName": "by_country",
            "KeySchema": [
                {"AttributeName": "country", "KeyType": "HASH"},
                {"AttributeName": "day", "KeyType": "RANGE"},
            ],
            "Projection": {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["age"]},
            "ProvisionedThroughput": {"ReadCapacityUnits": 1, "WriteCapacityUnits": 9},
        }
    ],
    "LocalSecondaryIndexes": [
        {
            "IndexName": "local",
            "KeySchema": [
                {"AttributeName": "user_id", "KeyType": "HASH"},
                {"AttributeName": "country", "KeyType": "RANGE"},
            ],
            "Projection": {"ProjectionType": "ALL"},
        }
    ],
}
EVERYTHING = TableDescription(
    "items",
    KEY,
    "UPDATING",
    on_demand=False,
    throughput=Throughput(provisioned=7, warm=4_000),
    indexes=(
        Index(
            "by_country",
            True,
            (("country", "S"), ("day", "N")),
            "INCLUDE",
            ("age",),
            Throughput(provisioned=9),
        ),
        Index("local", False, (("user_id", "S"), ("country", "S")), "ALL"),
    ),
    infrequent_access=True,
    replicas=2,
    reads=Throughput(provisioned=5, warm=12_000),
    items=4_314,
    bytes=900_000,
)


def test_a_key_is_partition_key_then_sort_key() -> None:
    assert read_description("items", TABLE).key == KEY


def test_a_table_without_a_billing_mode_is_provisioned() -> None:
    assert read_description("items", TABLE) == TableDescription("items", KEY, "ACTIVE", False)


def test_every_field_that_a_plan_needs_is_read() -> None:
    table = {
        **TABLE,
        **INDEXES,
        "TableStatus": "UPDATING",
        "ProvisionedThroughput": {"ReadCapacityUnits": 5, "WriteCapacityUnits": 7},
        "WarmThroughput": {
            "ReadUnitsPerSecond": 12_000,
            "WriteUnitsPerSecond": 4_000,
            "Status": "ACTIVE",
        },
        "ItemCount": 4_314,
        "TableSizeBytes": 900_000,
        "TableClassSummary": {"TableClass": "STANDARD_INFREQUENT_ACCESS"},
        "Replicas": [{"RegionName": "eu-west-1"}, {"RegionName": "eu-west-3"}],
    }

    assert read_description("items", table) == EVERYTHING


@pytest.mark.parametrize(
    ("throughput", "read"),
    [
        ({}, Throughput()),
        ({"OnDemandThroughput": {"MaxWriteRequestUnits": -1}}, Throughput()),
        ({"OnDemandThroughput": {"MaxWriteRequestUnits": 50}}, Throughput(most=50)),
        ({"WarmThroughput": {"WriteUnitsPerSecond": 0}}, Throughput()),
        ({"WarmThroughput": {"WriteUnitsPerSecond": 9_000}}, Throughput(warm=9_000)),
    ],
)
def test_an_on_demand_table_may_have_a_maximum_and_warm_throughput(
    throughput: dict[str, Any], read: Throughput
) -> None:
    nothing_provisioned = {"ReadCapacityUnits": 0, "WriteCapacityUnits": 0}
    table = {
        **TABLE,
        "BillingModeSummary": {"BillingMode": "PAY_PER_REQUEST"},
        "ProvisionedThroughput": nothing_provisioned,
        **throughput,
    }

    assert read_description("items", table) == TableDescription("items", KEY, "ACTIVE", True, read)


def test_a_description_is_read_back_from_json_unchanged() -> None:
    document = json.loads(json.dumps(asdict(EVERYTHING)))

    assert TypeAdapter(TableDescription).validate_python(document) == EVERYTHING


def test_an_index_may_have_several_attributes_in_each_part_of_its_key() -> None:
    schema = [
        {"AttributeName": name, "KeyType": kind}
        for name, kind in [("day", "HASH"), ("country", "HASH"), ("user_id", "RANGE")]
    ]
    (described,) = INDEXES["GlobalSecondaryIndexes"]
    index = {**described, "KeySchema": schema}

    (read,) = read_description("items", {**TABLE, "GlobalSecondaryIndexes": [index]}).indexes

    assert ([name for name, _ in read.key], read.partition_attributes) == (
        ["day", "country", "user_id"],
        2,
    )
