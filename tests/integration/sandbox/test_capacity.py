"""The capacity proxy in front of the emulator, as boto3 sees it."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from sandbox import Sandbox, SandboxError
from sandbox.capacity import measure, traffic
from sandbox.capacity.process import CapacityProxy, running
from tests.support.repository import REPOSITORY
from tests.support.sandboxes import wait_until

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

pytestmark = pytest.mark.integration

LOGIN: Any = {
    "region_name": "us-east-1",
    "aws_access_key_id": "sandbox",
    "aws_secret_access_key": "sandbox",
}
ARN = "arn:aws:dynamodb:us-east-1:000000000000:table/paced"


@pytest.fixture(scope="module")
def proxy(sandbox: Sandbox) -> Iterator[CapacityProxy]:
    with running(sandbox.settings.dynamodb_port, delay_ms=0) as proxy:
        yield proxy


@pytest.fixture(scope="module")
def client(proxy: CapacityProxy) -> DynamoDBClient:
    """A client that does not retry."""
    return boto3.client(
        "dynamodb",
        endpoint_url=proxy.url,
        **LOGIN,
        config=Config(retries={"total_max_attempts": 1}, user_agent="loader"),
    )


def wait_for_requests(proxy: CapacityProxy, count: int) -> None:
    """Wait until the log has so many requests of writers."""
    wait_until(
        lambda: sum(use.requests for use in measure.uses_of(proxy.record(), "paced")) >= count
    )


@pytest.fixture
def table(client: DynamoDBClient, proxy: CapacityProxy) -> Iterator[str]:
    """A table of 100 WCU with a global index of 40, and a local index."""
    client.create_table(
        TableName="paced",
        BillingMode="PROVISIONED",
        ProvisionedThroughput={"WriteCapacityUnits": 100, "ReadCapacityUnits": 100},
        KeySchema=[
            {"AttributeName": "id", "KeyType": "HASH"},
            {"AttributeName": "at", "KeyType": "RANGE"},
        ],
        AttributeDefinitions=[
            {"AttributeName": name, "AttributeType": "S"} for name in ("id", "at", "mail", "size")
        ],
        GlobalSecondaryIndexes=[
            {
                "IndexName": "by_mail",
                "KeySchema": [{"AttributeName": "mail", "KeyType": "HASH"}],
                "Projection": {"ProjectionType": "ALL"},
                "ProvisionedThroughput": {"WriteCapacityUnits": 40, "ReadCapacityUnits": 10},
            }
        ],
        LocalSecondaryIndexes=[
            {
                "IndexName": "by_size",
                "KeySchema": [
                    {"AttributeName": "id", "KeyType": "HASH"},
                    {"AttributeName": "size", "KeyType": "RANGE"},
                ],
                "Projection": {"ProjectionType": "KEYS_ONLY"},
            }
        ],
    )
    proxy.set_limits("paced", burst=False)
    proxy.clear()
    yield "paced"
    client.delete_table(TableName="paced")


def item(number: int = 0, kilobytes: int = 0, **attributes: str) -> dict[str, Any]:
    texts = {"id": f"user-{number}", "at": "1", "text": "x" * 1_000 * kilobytes, **attributes}
    return {name: {"S": text} for name, text in texts.items()}


def puts(count: int, **attributes: Any) -> list[Any]:
    return [{"PutRequest": {"Item": item(number, **attributes)}} for number in range(count)]


def exhaust(client: DynamoDBClient) -> None:
    """Leave the table without any credit for longer than a test takes."""
    client.put_item(TableName="paced", Item=item(kilobytes=390))


def refusal(client: DynamoDBClient, **put: Any) -> dict[str, Any]:
    """The answer to a put that is throttled."""
    with pytest.raises(ClientError) as raised:
        client.put_item(TableName="paced", Item=item(**put))
    return dict(raised.value.response)


def test_boto3_reads_the_reasons_of_a_provisioned_table(
    client: DynamoDBClient, proxy: CapacityProxy, table: str
) -> None:
    proxy.set_limits(table, write=1)
    exhaust(client)
    answer = refusal(client)
    assert answer["Error"]["Code"] == "ProvisionedThroughputExceededException"
    assert answer["ThrottlingReasons"] == [
        {"reason": "TableWriteProvisionedThroughputExceeded", "resource": ARN}
    ]


def test_boto3_reads_the_reasons_of_an_on_demand_table(
    client: DynamoDBClient, proxy: CapacityProxy, table: str
) -> None:
    proxy.set_limits(table, mode="on_demand", write=1_000, max_write=10)
    exhaust(client)
    answer = refusal(client)
    assert answer["Error"]["Code"] == "ThrottlingException"
    assert answer["throttlingReasons"] == [
        {"reason": "TableWriteMaxOnDemandThroughputExceeded", "resource": ARN}
    ]
    described = client.describe_table(TableName=table)["Table"]
    assert described["BillingModeSummary"]["BillingMode"] == "PAY_PER_REQUEST"
    assert described["OnDemandThroughput"]["MaxWriteRequestUnits"] == 10


def test_the_items_of_a_batch_that_do_not_fit_are_unprocessed_and_not_written(
    client: DynamoDBClient, proxy: CapacityProxy, table: str
) -> None:
    # A slow table: it gains no unit while the test runs.
    proxy.set_limits(table, write=10, indexes={"by_mail": {"write": 0.001}}, read=1_000)
    changes = puts(20)
    answer = client.batch_write_item(
        RequestItems={table: [*puts(1, mail="a@b"), *changes[1:]]},
        ReturnConsumedCapacity="INDEXES",
    )
    assert answer["ConsumedCapacity"] == [
        {
            "TableName": table,
            "CapacityUnits": 10.0 + 1.0,
            "Table": {"CapacityUnits": 10.0},
            "GlobalSecondaryIndexes": {"by_mail": {"CapacityUnits": 1.0}},
        }
    ]
    unprocessed = answer["UnprocessedItems"][table]
    assert unprocessed == changes[10:]
    assert client.scan(TableName=table, ConsistentRead=True)["Count"] == 10
    with pytest.raises(ClientError) as raised:
        client.batch_write_item(RequestItems={table: puts(2, mail="a@b")})
    assert {
        "reason": "IndexWriteProvisionedThroughputExceeded",
        "resource": f"{ARN}/index/by_mail",
    } in raised.value.response["ThrottlingReasons"]  # type: ignore[typeddict-item]


def test_update_table_changes_the_limits_that_describe_table_shows(
    client: DynamoDBClient, proxy: CapacityProxy, table: str
) -> None:
    client.update_table(
        TableName=table,
        ProvisionedThroughput={"WriteCapacityUnits": 700, "ReadCapacityUnits": 100},
    )
    proxy.set_limits(table, indexes={"by_mail": {"write": 50}})
    described = client.describe_table(TableName=table)["Table"]
    assert described["ProvisionedThroughput"]["WriteCapacityUnits"] == 700
    [index] = described["GlobalSecondaryIndexes"]
    assert index["ProvisionedThroughput"]["WriteCapacityUnits"] == 50
    assert proxy.allowed() == {
        "paced": {"Read": 100, "Write": 700},
        "paced/index/by_mail": {"Read": 10, "Write": 50},
    }


def test_more_warm_throughput_raises_what_an_on_demand_table_sustains(
    client: DynamoDBClient, proxy: CapacityProxy, table: str
) -> None:
    proxy.set_limits(table, mode="on_demand", write=3_000)
    client.update_table(
        TableName=table,
        WarmThroughput={"WriteUnitsPerSecond": 9_000, "ReadUnitsPerSecond": 12_000},
    )
    warm = client.describe_table(TableName=table)["Table"]["WarmThroughput"]
    assert warm["WriteUnitsPerSecond"] == 9_000
    assert proxy.allowed()["paced"]["Write"] == 9_000


def test_a_limit_of_an_unknown_table_is_refused(proxy: CapacityProxy) -> None:
    with pytest.raises(SandboxError, match="the table must exist, got 'missing'"):
        proxy.set_limits("missing", write=1)


def test_the_emulator_counts_the_same_write_units(
    client: DynamoDBClient, dynamodb: DynamoDBClient, proxy: CapacityProxy, table: str
) -> None:
    proxy.set_limits(table, write=1_000)
    shapes: list[dict[str, Any]] = [
        {},
        {"kilobytes": 3},
        {"mail": "a@b"},
        {"mail": "a@b", "kilobytes": 5},
        {"size": "1", "mail": "a@b"},
    ]
    for number, shape in enumerate(shapes):
        # A new item each: the proxy does not know what a put replaces. Reads are not compared:
        # the emulator does not count their bytes.
        ours, theirs = (
            c.put_item(
                TableName=table,
                Item=item(number, at=name, **shape),
                ReturnConsumedCapacity="TOTAL",
            )["ConsumedCapacity"]
            for c, name in ((client, "proxy"), (dynamodb, "emulator"))
        )
        assert ours == theirs, shape
    # The larger of the old and the new item. The emulator does not charge an index that stays.
    for write in (
        lambda c, name: c.put_item(
            TableName=table,
            Item=item(1, at=name),
            ReturnConsumedCapacity="TOTAL",
        ),
        lambda c, name: c.put_item(
            TableName=table,
            Item=item(1, at=name, kilobytes=5),
            ReturnConsumedCapacity="TOTAL",
        ),
        lambda c, name: c.delete_item(
            TableName=table,
            Key={"id": {"S": "user-1"}, "at": {"S": name}},
            ReturnConsumedCapacity="TOTAL",
        ),
    ):
        ours, theirs = (
            write(c, name)["ConsumedCapacity"]
            for c, name in ((client, "proxy"), (dynamodb, "emulator"))
        )
        assert ours == theirs


def test_live_traffic_counts_its_own_throttles(
    client: DynamoDBClient, proxy: CapacityProxy, table: str
) -> None:
    # Slow, because it sends at once what is due after a pause of the machine.
    with traffic.running(proxy, table, share=0.05) as unhindered:
        wait_for_requests(proxy, 5)
    proxy.set_limits(table, write=0.001)
    with traffic.running(proxy, table, units_per_second=50) as hindered:
        wait_for_requests(proxy, 20)
    assert unhindered.units_per_second == 5
    assert unhindered.counts.throttled_share == unhindered.counts.failed == 0
    assert hindered.counts.throttled >= hindered.counts.requests - 1 > 0
    uses = measure.uses_of(proxy.record(), table)
    assert {use.who for use in uses} == {"live-traffic"}
    requests = unhindered.counts.requests + hindered.counts.requests
    assert sum(use.requests for use in uses) == requests


def test_the_command_prints_the_endpoint_and_ends_with_ctrl_c(sandbox: Sandbox) -> None:
    command = [sys.executable, "-m", "sandbox", "capacity", "--port", "0"]
    with subprocess.Popen(
        [*command, "--dir", str(sandbox.settings.directory)],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout
        name, _, url = process.stdout.readline().strip().partition("=")
        tables = boto3.client("dynamodb", endpoint_url=url, **LOGIN).list_tables()["TableNames"]
        process.send_signal(signal.SIGINT)
        assert (name, process.wait()) == ("export AWS_ENDPOINT_URL_DYNAMODB", 0)
    assert "paced" not in tables
