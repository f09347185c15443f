"""The driver's client: credentials renewed during a read, and an endpoint without a route."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from loader.dynamodb.service import reached
from loader.dynamodb.table import client
from loader.dynamodb.watched_table import WatchedTable
from loader.items.export import Export, Relation
from loader.plan.tables import describe_tables, ready_table
from loader.settings import Settings
from loader.storage.location import Location
from tests.support.aws_server import AwsServer, Call, aws_server, json_error, xml_error
from tests.support.example_plan import planned
from tests.support.sts import ANSWER, ROLE

EXPORT = Export("e", "m", Relation("db", "s", "m"), "items", ("user_id",), "p", 1)
TABLE = {
    "TableArn": "arn:aws:dynamodb:eu-west-1:111111111111:table/items",
    "AttributeDefinitions": [{"AttributeName": "user_id", "AttributeType": "S"}],
    "KeySchema": [{"AttributeName": "user_id", "KeyType": "HASH"}],
    "BillingModeSummary": {"BillingMode": "PAY_PER_REQUEST"},
    "TableStatus": "ACTIVE",
}
EXPIRED = "The security token included in the request is expired"


class Aws:
    """DynamoDB and STS, which accept the requests that are signed with the keys of `valid`.

    STS gives credentials that expire in a minute, so that botocore asks for others at each use.
    """

    def __init__(self) -> None:
        self.valid = {"AKFIRST"}

    def answer(self, call: Call) -> tuple[int, str]:
        of_sts = call.action == "AssumeRole"
        if call.key_id not in self.valid:
            error = xml_error if of_sts else json_error
            return error("ExpiredToken" if of_sts else "ExpiredTokenException", EXPIRED)
        if of_sts:
            self.valid.add("ASIAROLE")
            expires = (datetime.now(timezone.utc) + timedelta(minutes=1)).isoformat()
            return 200, ANSWER.format(key="ASIAROLE", mark="", expires=expires)
        if call.action == "DescribeTable":
            return 200, json.dumps({"Table": TABLE})
        return 200, json.dumps({"TimeToLiveDescription": {"TimeToLiveStatus": "DISABLED"}})


def write(folder: Path, key: str) -> None:
    text = f"aws_access_key_id={key}\naws_secret_access_key=s\naws_session_token=t\n"
    (folder / "credentials").write_text(f"[default]\n{text}")


@pytest.fixture
def aws() -> Aws:
    return Aws()


@pytest.fixture(autouse=True)
def server(aws: Aws, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[AwsServer]:
    for name in ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY", "SESSION_TOKEN", "PROFILE"):
        monkeypatch.delenv(f"AWS_{name}", raising=False)
    for name in ("ENDPOINT_URL_DYNAMODB", "ENDPOINT_URL_STS", "DEFAULT_REGION", "MAX_ATTEMPTS"):
        monkeypatch.delenv(f"AWS_{name}", raising=False)
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    write(tmp_path, "AKFIRST")
    with aws_server(aws.answer) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL", server.url)
        yield server


def test_a_table_is_ready_after_a_read_during_which_the_credentials_file_was_renewed(
    aws: Aws, server: AwsServer, tmp_path: Path
) -> None:
    settings, plan = Settings(), planned()
    tables = describe_tables(settings, [EXPORT], {"e": "items"}, "run")
    plan.identity, plan.described = tables.identity(EXPORT)
    aws.valid = {"AKSECOND"}
    write(tmp_path, "AKSECOND")

    ready = ready_table(settings, tables.services["e"], plan, Location(str(tmp_path)))

    assert (tables.problems, ready.description) == ((), plan.described)
    aws.valid = {"AKTHIRD"}
    write(tmp_path, "AKTHIRD")
    watched = WatchedTable(tables.services["e"].dynamodb, ready.description)
    assert (watched(), watched.problems) == (ready.description, [])
    keys = [call.key_id for call in server.calls if call.action == "DescribeTable"]
    assert keys == ["AKFIRST", "AKFIRST", "AKSECOND", "AKSECOND", "AKTHIRD"]


def test_a_role_is_assumed_again_with_renewed_credentials(aws: Aws, tmp_path: Path) -> None:
    service = reached(Settings(dynamodb_role=ROLE), EXPORT, None, "run")
    aws.valid = {"AKSECOND"}
    write(tmp_path, "AKSECOND")

    answer = service.dynamodb.describe_table(TableName="items")

    assert answer["Table"]["TableStatus"] == "ACTIVE"


@pytest.mark.parametrize(("attempts", "total"), [(None, 4), ("1", 1)])
def test_an_endpoint_without_a_route_is_given_up_soon(
    monkeypatch: pytest.MonkeyPatch, attempts: str | None, total: int
) -> None:
    if attempts:
        monkeypatch.setenv("AWS_MAX_ATTEMPTS", attempts)

    config: Any = client(allow_plain_http=False).meta.config

    assert (config.connect_timeout, config.read_timeout, config.retries) == (
        5, 20, {"mode": "standard", "total_max_attempts": total},
    )  # fmt: skip


def test_an_endpoint_that_does_not_answer_is_asked_for_one_table_only(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    exports = [replace(EXPORT, name=name, table=name) for name in ("a", "b")]

    tables = describe_tables(Settings(), exports, {}, "run")

    assert tables.problems == (
        "cannot describe table a in eu-west-1 at http://127.0.0.1:1: Could not connect to the "
        'endpoint URL: "http://127.0.0.1:1/". Check the route to DynamoDB, HTTPS_PROXY, NO_PROXY, '
        "Region and AWS_ENDPOINT_URL_DYNAMODB",
    )
