"""Admission of requests, with the time standing still."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from sandbox.capacity.admission import Table
from sandbox.capacity.limits import changed_limits
from sandbox.capacity.log import Allowed, Log, Record, Use, read_record
from sandbox.capacity.meter import Meter
from sandbox.capacity.operations import OPERATIONS, Operation
from tests.support.capacity_tables import ARN, item, table

DYNAMODB = "com.amazonaws.dynamodb.v20120810#"


def send(name: str, request: dict[str, Any], users: Table, now: float = 0, log: Any = None) -> Any:
    kind, operation = OPERATIONS[name]
    tables = {"users": users}
    made: Operation = operation(request, tables, Meter(log or Log(0), kind, "loader", now))
    return made


def puts(count: int, first: int = 0, **attributes: Any) -> list[dict[str, Any]]:
    return [{"PutRequest": {"Item": item(first + n, **attributes)}} for n in range(count)]


def batch(changes: list[dict[str, Any]], capacity: str = "NONE") -> dict[str, Any]:
    return {"RequestItems": {"users": changes}, "ReturnConsumedCapacity": capacity}


def test_a_batch_that_fits_is_forwarded_as_it_came() -> None:
    made = send("BatchWriteItem", batch(puts(25)), table())
    assert (made.error, made.forward) == (None, None)
    assert made.finish({"UnprocessedItems": {}}) == {"UnprocessedItems": {}}


def test_items_that_find_no_capacity_are_unprocessed() -> None:
    changes = puts(25)
    made = send("BatchWriteItem", batch(changes, "TOTAL"), table(write=10))
    assert made.error is None
    assert made.forward == batch(changes[:10], "TOTAL")
    assert made.finish({"UnprocessedItems": {"users": changes[:1]}}) == {
        "UnprocessedItems": {"users": [changes[0], *changes[10:]]},
        "ConsumedCapacity": [{"TableName": "users", "CapacityUnits": 10.0}],
    }


def test_a_batch_of_which_nothing_fits_is_throttled_with_the_reason() -> None:
    users = table(write=10)
    send("BatchWriteItem", batch(puts(10)), users)
    assert send("BatchWriteItem", batch(puts(5)), users).error == {
        "__type": f"{DYNAMODB}ProvisionedThroughputExceededException",
        "message": "The level of configured provisioned throughput for the table was exceeded.",
        "ThrottlingReasons": [
            {"reason": "TableWriteProvisionedThroughputExceeded", "resource": ARN}
        ],
    }


@pytest.mark.parametrize(
    ("limits", "reason", "resource"),
    [
        ({"write": 1}, "TableWriteProvisionedThroughputExceeded", ARN),
        (
            {"indexes": {"by_mail": {"write": 1}}},
            "IndexWriteProvisionedThroughputExceeded",
            f"{ARN}/index/by_mail",
        ),
        (
            {"partitions": 4, "partition_write": 1},
            "TableWriteKeyRangeThroughputExceeded",
            ARN,
        ),
        (
            {"indexes": {"by_mail": {"partitions": 4, "partition_write": 1}}},
            "IndexWriteKeyRangeThroughputExceeded",
            f"{ARN}/index/by_mail",
        ),
        (
            {"mode": "on_demand", "max_write": 1},
            "TableWriteMaxOnDemandThroughputExceeded",
            ARN,
        ),
        ({"mode": "on_demand", "account_write": 1}, "TableWriteAccountLimitExceeded", ARN),
        ({"mode": "on_demand", "write": 1}, "TableWriteKeyRangeThroughputExceeded", ARN),
        (
            {"mode": "on_demand", "indexes": {"by_mail": {"max_write": 1}}},
            "IndexWriteMaxOnDemandThroughputExceeded",
            f"{ARN}/index/by_mail",
        ),
    ],
)
def test_each_limit_has_its_reason(limits: dict[str, Any], reason: str, resource: str) -> None:
    users = table(**limits)
    request = {"TableName": "users", "Item": item(mail={"S": "a@b"})}
    assert send("PutItem", request, users).error is None
    error = send("PutItem", request, users).error
    provisioned = limits.get("mode") != "on_demand"
    # As the API's model spells them.
    name, kind = (
        ("ThrottlingReasons", "ProvisionedThroughputExceededException")
        if provisioned
        else ("throttlingReasons", "ThrottlingException")
    )
    assert error[name] == [{"reason": reason, "resource": resource}]
    assert error["__type"].endswith(f"#{kind}")


def test_a_hot_key_range_does_not_throttle_other_keys() -> None:
    users = table(partitions=4, partition_write=10)
    hot = [{"PutRequest": {"Item": item(0, at={"S": str(n)})}} for n in range(25)]
    assert len(send("BatchWriteItem", batch(hot), users).forward["RequestItems"]["users"]) == 10
    forwarded = send("BatchWriteItem", batch(puts(25, first=1)), users).forward
    assert 25 > len(forwarded["RequestItems"]["users"]) > 10


def test_an_index_that_is_full_refuses_the_items_that_have_its_keys() -> None:
    users = table(indexes={"by_mail": {"write": 5}})
    changes = [*puts(10, mail={"S": "a@b"}), *puts(5, first=10)]
    made = send("BatchWriteItem", batch(changes, "INDEXES"), users)
    assert made.forward == batch([*changes[:5], *changes[10:]], "INDEXES")
    assert made.finish({})["ConsumedCapacity"] == [
        {
            "TableName": "users",
            "CapacityUnits": 15.0,
            "Table": {"CapacityUnits": 10.0},
            "GlobalSecondaryIndexes": {"by_mail": {"CapacityUnits": 5.0}},
        }
    ]


def test_a_local_index_consumes_the_capacity_of_its_table() -> None:
    users = table(write=10)
    made = send("BatchWriteItem", batch(puts(25, size={"N": "1"}), "INDEXES"), users)
    assert len(made.forward["RequestItems"]["users"]) == 5
    assert made.finish({})["ConsumedCapacity"] == [
        {
            "TableName": "users",
            "CapacityUnits": 10.0,
            "Table": {"CapacityUnits": 5.0},
            "LocalSecondaryIndexes": {"by_size": {"CapacityUnits": 5.0}},
        }
    ]


def test_a_changed_limit_holds_from_then_on() -> None:
    users = table(write=10)
    send("BatchWriteItem", batch(puts(10)), users)
    users.change(changed_limits(users.limits, {"write": 1_000}), now=1)
    assert send("BatchWriteItem", batch(puts(25)), users, now=1.1).forward is None


def test_a_read_is_charged_by_what_it_returned() -> None:
    users = table(read=10)
    request = {"TableName": "users", "ReturnConsumedCapacity": "INDEXES"}
    page = [item(n, text={"S": "x" * 4_000}) for n in range(20)]
    assert send("Scan", request, users).finish({"Items": page})["ConsumedCapacity"] == {
        "TableName": "users",
        "CapacityUnits": 10.0,
        "Table": {"CapacityUnits": 10.0},
    }
    error = send("Scan", request, users).error
    assert error["ThrottlingReasons"] == [
        {"reason": "TableReadProvisionedThroughputExceeded", "resource": ARN}
    ]


def test_keys_that_find_no_capacity_are_unprocessed() -> None:
    keys = [item(n) for n in range(5)]
    wanted = {"Keys": keys, "ConsistentRead": True}
    made = send("BatchGetItem", {"RequestItems": {"users": wanted}}, table(read=2))
    assert made.forward["RequestItems"] == {"users": {**wanted, "Keys": keys[:2]}}
    answer = made.finish({"Responses": {"users": keys[:2]}, "UnprocessedKeys": {}})
    assert answer["UnprocessedKeys"] == {"users": {**wanted, "Keys": keys[2:]}}


def test_the_log_has_the_use_of_each_resource_with_its_refused_items() -> None:
    log, users = Log(0), table(write=20, indexes={"by_mail": {"write": 5}})
    send("BatchWriteItem", batch(puts(10, mail={"S": "a@b"})), users, now=0.25, log=log)
    uses = read_record(log.document()).uses
    refused = Counter(IndexWriteProvisionedThroughputExceeded=5)
    assert sorted(uses, key=lambda use: use.resource) == [
        Use(0.2, "users", "Write", "loader", 5, 1, 1, Counter(), 0.25, 0.25),
        Use(0.2, "users/index/by_mail", "Write", "loader", 5, 1, 1, refused, 0.25, 0.25),
    ]


def test_a_cleared_log_keeps_the_limits_that_hold() -> None:
    log = Log(0)
    log.allow(1, "users", "Write", 100)
    log.allow(2, "users", "Write", 200)
    send("BatchWriteItem", batch(puts(1)), table(), now=3, log=log)
    log.clear(now=10)
    assert read_record(log.document()) == Record((), (Allowed(0.0, "users", "Write", 200),))


def test_a_delete_costs_as_much_as_the_item_that_was_put() -> None:
    users = table(write=1_000)
    large = [{"PutRequest": {"Item": item(text={"S": "x" * 3_000})}}]
    delete = [{"DeleteRequest": {"Key": item()}}]
    consumed = [
        send("BatchWriteItem", batch(changes, "TOTAL"), users).finish({})["ConsumedCapacity"][0]
        for changes in (large, puts(1), large, delete, delete)
    ]
    assert [entry["CapacityUnits"] for entry in consumed] == [3, 3, 3, 3, 1]


def test_a_write_that_was_refused_is_not_taken_for_what_the_table_has() -> None:
    users = table(write=1)
    send("BatchWriteItem", batch(puts(1)), users)
    large = {"TableName": "users", "Item": item(text={"S": "x" * 3_000})}
    assert send("PutItem", large, users).error
    request = {"TableName": "users", "Key": item(), "ReturnConsumedCapacity": "TOTAL"}
    made = send("DeleteItem", request, users, now=1)
    assert made.finish({})["ConsumedCapacity"]["CapacityUnits"] == 1
