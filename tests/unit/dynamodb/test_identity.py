from dataclasses import replace

import pytest

from loader.assumed_role import AssumedRole
from loader.dynamodb.description import Index, TableDescription
from loader.dynamodb.endpoint import Endpoint
from loader.dynamodb.identity import TableIdentity, identity, identity_problem, new_indexes

URL = "https://dynamodb.eu-west-1.amazonaws.com"
ARN = "arn:aws:dynamodb:eu-west-1:111111111111:table/users"
PLANNED = TableIdentity("users", "eu-west-1", URL, ARN, "7f", "2026-11-26T17:06:11Z")
MISSING = TableIdentity("users", "eu-west-1", URL, exists=False)
ELSEWHERE = replace(MISSING, region="us-east-1", endpoint="https://other.example")
REMEDY = "; use the account, Region and endpoint of the plan, or plan again"
TABLE = TableDescription("users", (("id", "S"),), "ACTIVE", on_demand=True)


def test_a_table_has_the_identity_that_dynamodb_gives_it() -> None:
    table = replace(TABLE, arn=ARN, table_id="7f", created="2026-11-26T17:06:11Z")

    assert identity(Endpoint(URL, "eu-west-1", "users"), table) == PLANNED
    assert identity(Endpoint(URL, "eu-west-1", "users"), None) == MISSING


def test_a_missing_table_is_of_the_account_of_the_role_that_reaches_it() -> None:
    roles = [AssumedRole(f"arn:aws:iam::{account}:role/r") for account in ("2" * 12, "3" * 12)]
    ours, other = (identity(Endpoint(URL, "eu-west-1", "users", role=role), None) for role in roles)

    assert ours == replace(MISSING, arn="arn:aws:dynamodb::222222222222:table/users")
    assert identity_problem(ours, replace(ours)) is None
    assert identity_problem(ours, other) == (
        "table users must be the one that was planned, got none "
        f"(arn:aws:dynamodb::333333333333:table/users) in eu-west-1 at {URL}: the plan is for one "
        "to be created, none (arn:aws:dynamodb::222222222222:table/users) in eu-west-1 at "
        f"{URL}{REMEDY}"
    )


def test_the_table_that_was_planned_is_accepted_over_another_endpoint() -> None:
    assert identity_problem(PLANNED, PLANNED) is None
    assert identity_problem(PLANNED, replace(PLANNED, endpoint="https://vpce.example")) is None
    assert identity_problem(MISSING, MISSING) is None


@pytest.mark.parametrize(
    ("planned", "actual"),
    [
        (PLANNED, replace(PLANNED, arn=ARN.replace("1111", "2222"), table_id="8e")),
        (PLANNED, replace(PLANNED, table_id="8e", created="2026-11-27T01:02:03Z")),
        (PLANNED, MISSING),
        (PLANNED, ELSEWHERE),
        (MISSING, PLANNED),
        (MISSING, ELSEWHERE),
        (MISSING, replace(MISSING, endpoint="https://other.example")),
        (replace(PLANNED, table_id=""), replace(PLANNED, table_id="", created="2026-11-27")),
    ],
    ids=[
        *("another account", "created again", "deleted", "another Region"),
        *("created since", "missing elsewhere", "another endpoint", "created again, without ids"),
    ],
)
def test_another_table_is_refused_with_both_identities(
    planned: TableIdentity, actual: TableIdentity
) -> None:
    plan = str(planned) if planned.exists else f"one to be created, {planned}"

    assert identity_problem(planned, actual) == (
        f"table users must be the one that was planned, got {actual}: "
        f"the plan is for {plan}{REMEDY}"
    )


def test_an_identity_is_shown_with_account_region_endpoint_and_creation() -> None:
    assert str(PLANNED) == f"{ARN} at {URL} (created 2026-11-26T17:06:11Z, id 7f)"
    assert str(MISSING) == f"none in eu-west-1 at {URL}"


def test_an_index_that_is_new_since_the_plan_is_refused_if_the_export_writes_its_key() -> None:
    planned = replace(TABLE, indexes=(Index("by_day", True, (("day", "S"),), "ALL"),))
    others = (Index("by_age", True, (("age", "N"),), "ALL"), Index("x", True, (("y", "N"),), "ALL"))
    table = replace(planned, indexes=(*planned.indexes, *others))

    assert new_indexes(planned, table, {"day", "age"}) == [
        "index by_age of table users must be one that was planned, got a new one: "
        "plan again, so that the attributes of its key are checked"
    ]
    assert new_indexes(table, planned, {"day", "age"}) == []
