"""A changeset is applied with the options of its plan, to the table that was planned."""

# ruff: noqa: S608  the names of relations in the SQL are constants of this file

from __future__ import annotations

import json
import shlex
import shutil
from collections.abc import Callable
from datetime import timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from sandbox import Sandbox
from tests.support.projects import Project, export, project
from tests.support.relations import sixty_rows

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

pytestmark = pytest.mark.integration

Run = Callable[..., Any]
VIEW = "analytics.sixty"
REMEDY = "; use the account, Region and endpoint of the plan, or plan again\n"


@pytest.fixture(scope="module", autouse=True)
def view(sandbox: Sandbox) -> None:
    """60 rows of 6 users, and a row without a user."""
    sixty_rows(sandbox, VIEW)
    with sandbox.connect() as connection, connection.cursor() as cursor:
        cursor.execute(f"insert into {VIEW} values (null, 0, 'x', 61, now()::timestamp)")
    connection.close()


def planned(loader: Run, chosen: Project, *options: str) -> str:
    run = loader("plan", *chosen.arguments, *chosen.storage, *options, "--json")
    folder: str = json.loads(run.out)["folder"]
    return folder


def refusal(run: Any) -> str:
    head, _, problem = run.err.partition("\n  1  ")
    assert (run.code, head) == (2, "1 problem with the run, nothing was written")
    return str(problem)


def create_table(dynamodb: DynamoDBClient, name: str, **changes: Any) -> str:
    """Create a table with the key user_id, and describe it as the loader does."""
    definition: Any = {
        "TableName": name,
        "BillingMode": "PAY_PER_REQUEST",
        "KeySchema": [{"AttributeName": "user_id", "KeyType": "HASH"}],
        "AttributeDefinitions": [{"AttributeName": "user_id", "AttributeType": "S"}],
        **changes,
    }
    dynamodb.create_table(**definition)
    return shown(dynamodb, name)


def shown(dynamodb: DynamoDBClient, name: str) -> str:
    table = dynamodb.describe_table(TableName=name)["Table"]
    created = table["CreationDateTime"].astimezone(timezone.utc)
    return (
        f"{table['TableArn']} at {dynamodb.meta.endpoint_url} "
        f"(created {created:%Y-%m-%dT%H:%M:%SZ}, id {table['TableId']})"
    )


def test_a_changeset_is_refused_by_every_table_but_the_one_that_was_planned(
    loader: Run,
    dynamodb: DynamoDBClient,
    sandbox: Sandbox,
    items: Callable[[str], list[dict[str, Any]]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    chosen = project(tmp_path, {"sixty": export("sixty")}, VIEW)
    folder = planned(loader, chosen, "--create-table", "--max-rejects", "1")
    env, endpoint = sandbox.env(), dynamodb.meta.endpoint_url
    again = ("apply", folder, "--keep", "--json")
    secret = env["AWS_SECRET_ACCESS_KEY"]
    abroad: Any = boto3.client(
        "dynamodb", "eu-west-1", endpoint_url=endpoint,
        aws_access_key_id=env["AWS_ACCESS_KEY_ID"], aws_secret_access_key=secret,
    )  # fmt: skip
    stranger: Any = boto3.client(
        "dynamodb", env["AWS_DEFAULT_REGION"], endpoint_url=endpoint,
        aws_access_key_id="222222222222", aws_secret_access_key=secret,
    )  # fmt: skip

    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    missing_abroad = refusal(loader(*again))
    copied = refusal(loader("apply", str(shutil.copytree(folder, tmp_path / "copy"))))
    elsewhere = create_table(abroad, "sixty")
    other_region = refusal(loader(*again))
    monkeypatch.setenv("AWS_DEFAULT_REGION", env["AWS_DEFAULT_REGION"])
    applied, repeated = loader(*again), refusal(loader(*again))
    ours = shown(dynamodb, "sixty")
    again = ("apply", planned(loader, chosen, "--full"), "--keep")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "222222222222")
    theirs = create_table(stranger, "sixty")
    other_account = refusal(loader(*again))
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", env["AWS_ACCESS_KEY_ID"])
    written = items("sixty")
    dynamodb.delete_table(TableName="sixty")
    deleted = refusal(loader(*again))
    recreated = create_table(dynamodb, "sixty")
    created_again = refusal(loader(*again))

    missing = f"none in {env['AWS_DEFAULT_REGION']} at {endpoint}"
    rule = "table sixty must be the one that was planned, got "
    to_create = f": the plan is for one to be created, {missing}{REMEDY}"
    assert copied == (
        f"DIR must be STORAGE/sixty/runs/{Path(folder).name}, beside the state and the lock of the "
        f"export, got {tmp_path}/copy: give that folder, or plan again\n"
    )
    assert missing_abroad == f"{rule}none in eu-west-1 at {endpoint}{to_create}"
    assert other_region == f"{rule}{elsewhere}{to_create}"
    assert (applied.code, json.loads(applied.out)["max_rejects"], len(written)) == (0, 1, 6)
    assert repeated == (
        f"run {Path(folder).name} must not be committed yet, got a committed run: plan again\n"
    )
    assert other_account == f"{rule}{theirs}: the plan is for {ours}{REMEDY}"
    assert deleted == f"{rule}{missing}: the plan is for {ours}{REMEDY}"
    assert created_again == f"{rule}{recreated}: the plan is for {ours}{REMEDY}"
    assert items("sixty") == []


def test_an_index_that_was_added_since_the_plan_is_refused_before_the_first_write(
    loader: Run, dynamodb: DynamoDBClient, tmp_path: Path
) -> None:
    create_table(dynamodb, "sixty_indexed")
    settings = export("sixty_indexed", attributes=["partition_id"])
    folder = planned(loader, project(tmp_path, {"sixty_indexed": settings}, VIEW))
    dynamodb.update_table(
        TableName="sixty_indexed",
        AttributeDefinitions=[{"AttributeName": "partition_id", "AttributeType": "N"}],
        GlobalSecondaryIndexUpdates=[
            {
                "Create": {
                    "IndexName": "by_partition",
                    "KeySchema": [{"AttributeName": "partition_id", "KeyType": "HASH"}],
                    "Projection": {"ProjectionType": "ALL"},
                }
            }
        ],
    )

    assert refusal(loader("apply", folder)) == (
        "index by_partition of table sixty_indexed must be one that was planned, got a new one: "
        "plan again, so that the attributes of its key are checked\n"
    )


def test_the_commands_that_continue_have_the_options_of_the_run_also_after_another_command(
    loader: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A rejected row ends every run as incomplete, with the command that loads again.

    The storage is moved between the plan and its apply.

    The target is the default of the profile, which may be another one later.
    """
    chosen = project(tmp_path / "a project", {"sixty_again": export("sixty_again")}, VIEW)
    options = [
        *(*chosen.arguments, "--profiles-dir", str(chosen.folder)),
        *(*chosen.storage, "--queries", "3", "--create-table", "--spark-conf", "spark.x=a b"),
    ]

    first = loader("load", *options, "--keep", "--requests", "5")
    name = Path(planned(loader, chosen, *options)).name
    monkeypatch.chdir(tmp_path)
    (chosen.folder / "runs").rename("moved")
    second = loader("apply", f"moved/sixty_again/runs/{name}", "--keep", "--requests", "5")

    for run, storage in ((first, chosen.storage), (second, ["--storage", "moved"])):
        step, command = run.out.splitlines()[-1].split(":  ")
        assert (run.code, step) == (1, "Fix the rows or the export, then")
        assert shlex.split(command) == [
            *("loader", "load", "--export", "sixty_again", *chosen.arguments),
            *("--profiles-dir", str(chosen.folder), "--target", "sandbox", *storage),
            *("--queries", "3", "--requests", "5", "--create-table", "--keep"),
            *("--spark-conf", "spark.x=a b"),
        ]
