"""The limits of a run follow its table and its pace file, as the capacity proxy shows them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from loader.apply.pacing import PACE_FILE
from loader.apply.write_limits import WriteLimits
from loader.capacity_setting import capacity_setting
from loader.dynamodb.table import client, describe, endpoint
from loader.dynamodb.watched_table import DESCRIBE_SECONDS
from loader.storage.location import Location
from loader.verify.scan_job import ReadLimits, ScannedTable
from sandbox.capacity import measure
from sandbox.capacity.admission import READ
from sandbox.capacity.process import running
from tests.support.projects import export, project
from tests.support.relations import sixty_rows

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

    from sandbox import Sandbox

pytestmark = pytest.mark.integration

Run = Callable[..., Any]
HALF = capacity_setting("50%")
TABLE = "limited"


def test_the_limits_follow_the_table_and_the_file_and_stay_if_the_table_cannot_be_described(
    sandbox: Sandbox,
    sandbox_env: dict[str, str],
    dynamodb: DynamoDBClient,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    dynamodb.create_table(
        TableName=TABLE,
        BillingMode="PROVISIONED",
        ProvisionedThroughput={"WriteCapacityUnits": 2_000, "ReadCapacityUnits": 10},
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
    )
    folder, now = Location(str(tmp_path)), [0.0]
    with running(sandbox.settings.dynamodb_port, delay_ms=0) as proxy:
        monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", proxy.url)
        monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
        through = client(allow_plain_http=False)
        described = describe(through, TABLE)
        assert described is not None
        limits = WriteLimits(through, described, HALF, folder, lambda: now[0])

        def rates() -> list[float | None]:
            return [limit.rate for limit in limits()]

        text = limits.begin()
        seen = [rates()]
        proxy.set_limits(TABLE, write=4_000, read=30)
        scanned = ScannedTable(through, endpoint(through, TABLE), described, (), HALF)
        reads = [limit.rate for limit in ReadLimits(scanned)()]
        seen.append(rates())  # it was described just now
        now[0] += DESCRIBE_SECONDS
        seen.append(rates())
        folder.write(PACE_FILE, b"500\n")
        seen.append(rates())
    now[0] += DESCRIBE_SECONDS
    folder.write(PACE_FILE, b"25%\n")
    seen.append(rates())  # the proxy has ended
    dynamodb.delete_table(TableName=TABLE)

    assert text == "writes at most 1,000 WCU/s: 50% of the 2,000 that are provisioned"
    assert seen == [[1_000], [1_000], [2_000], [500], [1_000]]
    assert (described.reads.provisioned, reads) == (10, [15])
    [problem] = limits.problems
    assert problem.startswith(f"cannot describe table {TABLE} in us-east-1 at ")


def test_a_load_writes_within_the_limit_and_its_plan_report_and_pace_file_have_it(
    sandbox: Sandbox,
    dynamodb: DynamoDBClient,
    loader: Run,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    sixty_rows(sandbox, "analytics.limited_items")
    settings = {**export("limited_items", partitions=6), "write_capacity": "20%"}
    chosen = project(tmp_path / "p", {"limited": settings}, "analytics.limited_items")
    dynamodb.create_table(
        TableName="limited_items",
        BillingMode="PROVISIONED",
        ProvisionedThroughput={"WriteCapacityUnits": 100, "ReadCapacityUnits": 100},
        KeySchema=[{"AttributeName": "user_id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "user_id", "AttributeType": "S"}],
    )
    with running(sandbox.settings.dynamodb_port, delay_ms=0) as proxy:
        monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", proxy.url)
        arguments = [*chosen.arguments, *chosen.storage]
        planned = loader("plan", *arguments)
        loaded = loader("load", *arguments, "--write-capacity", "40%", "--json")
        adopted = loader("state", "adopt", "limited", *arguments, "--read-capacity", "20", "--json")
        item = dynamodb.scan(TableName="limited_items", Limit=1)["Items"][0]
        key = {"user_id": item["user_id"]}
        dynamodb.delete_item(TableName="limited_items", Key=key)
        verified = loader("verify", "limited", *arguments, "--read-capacity", "20", "--json")
        reads = measure.of(proxy.record(), "limited_items", allowed=20, operation=READ)
        throttled = measure.of(proxy.record(), "limited_items").throttled_share
    dynamodb.delete_table(TableName="limited_items")

    limit = "writes at most {} WCU/s: {}% of the 100 that are provisioned"
    assert limit.format(20, 20) in planned.out
    report = json.loads(loaded.out)
    assert (loaded.code, report["write_limit"]) == (0, limit.format(40, 40))
    assert f"limit  limited {limit.format(40, 40)}" in loaded.err
    [used] = re.findall(r"changes/s · ([\d.]+) of 40 WCU/s · 0 throttled$", loaded.err, re.M)
    [table] = report["over_time"]["limits"]
    assert (table["index"], {*table["allowed"]}) == (None, {40.0})
    assert sum(table["write_units"]) == report["write_units"]
    assert 0 < float(used) <= report["put"]
    assert report["pace"] == {"throttles": [], "fixed_shares": []}
    assert (Path(report["folder"]) / PACE_FILE).read_text() == "40%\n"
    adoption = json.loads(adopted.out)
    assert (adopted.code, adoption["read_limit"], adoption["keys"]) == (0, 20, report["items"])
    verification = json.loads(verified.out)
    assert (verified.code, verification["read_limit"], verification["missing"]) == (1, 20, 1)
    assert "fixed share" not in adopted.err + verified.err
    assert (throttled, reads.throttled_share) == (0, 0)
    assert reads.worst_5s_share <= 1.05
