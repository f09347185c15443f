"""Warm throughput is raised through the capacity proxy, which knows what a table has."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from loader.dynamodb.pre_warm import pre_warm, pre_warming
from loader.dynamodb.prices import read_price
from loader.dynamodb.table import client, describe
from loader.plan.tables import describe_tables
from loader.settings import Settings
from sandbox import Sandbox
from sandbox.capacity.process import CapacityProxy, running
from tests.support.exports import KEYED

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

pytestmark = pytest.mark.integration

EXPORT = replace(KEYED, name="warmed", table="warmed")
MINUTES = 0.1


@pytest.fixture(scope="module")
def proxy(sandbox: Sandbox) -> Iterator[CapacityProxy]:
    with running(sandbox.settings.dynamodb_port, delay_ms=0) as proxy:
        yield proxy


@pytest.fixture
def table(dynamodb: DynamoDBClient) -> Iterator[str]:
    key: Any = [{"AttributeName": "id", "KeyType": "HASH"}]
    dynamodb.create_table(
        TableName="warmed",
        BillingMode="PAY_PER_REQUEST",
        KeySchema=key,
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        GlobalSecondaryIndexes=[
            {"IndexName": "again", "KeySchema": key, "Projection": {"ProjectionType": "ALL"}}
        ],
    )
    yield "warmed"
    dynamodb.delete_table(TableName="warmed")


def test_a_raise_needs_a_confirmation_of_its_cost_and_ends_when_all_of_it_is_active(
    sandbox_env: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    proxy: CapacityProxy,
    table: str,
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", proxy.url)
    settings = Settings(pre_warm=9_000)
    refused = describe_tables(settings, [EXPORT], {}, "run").problems
    allowed = describe_tables(replace(settings, yes=True), [EXPORT], {}, "run").problems
    dynamodb = client(allow_plain_http=False)
    description = describe(dynamodb, table)
    assert description is not None

    pre_warm(dynamodb, pre_warming(9_000, description, read_price("us-east-1")), MINUTES)

    warm = describe(dynamodb, table)
    assert warm is not None
    rates = [warm.throughput.warm, *(index.throughput.warm for index in warm.indexes)]
    assert rates == [9_000, 9_000]
    assert proxy.allowed()["warmed"]["Write"] == 9_000
    [problem] = refused
    assert "add --yes to raise table warmed from 4,000, index again from 4,000 to 9,000" in problem
    assert allowed == ()
