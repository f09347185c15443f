"""Region, endpoint and table as AWS's configuration and ARNs give them, on the real path."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
import pytest

from sandbox import Sandbox
from tests.support.projects import export, project
from tests.support.relations import sixty_rows
from tests.support.tables import create_table
from tests.support.tls_proxies import http_proxy

pytestmark = pytest.mark.integration

Run = Callable[..., Any]
VIEW = "analytics.configured_items"
ELSEWHERE = "eu-west-1"  # the variables of the sandbox have us-east-1


@pytest.fixture(scope="module", autouse=True)
def view(sandbox: Sandbox) -> None:
    sixty_rows(sandbox, VIEW)


@pytest.fixture(scope="module")
def elsewhere(sandbox: Sandbox) -> Any:
    """A client for another Region, which has the table `by_arn`."""
    env = sandbox.env()
    keys = {name.lower(): env[name] for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")}
    url = env["AWS_ENDPOINT_URL_DYNAMODB"]
    client = boto3.client("dynamodb", endpoint_url=url, region_name=ELSEWHERE, **keys)
    create_table(client, "by_arn")
    return client


def test_a_table_named_by_its_arn_is_written_in_its_region(
    loader: Run, elsewhere: Any, tmp_path: Path
) -> None:
    arn = elsewhere.describe_table(TableName="by_arn")["Table"]["TableArn"]
    assert f":{ELSEWHERE}:" in arn
    chosen = project(tmp_path / "p", {"by_arn": export(arn, partitions=6)}, VIEW)

    plan = loader("plan", *chosen.arguments, *chosen.storage)
    folder = str(next(Path(chosen.storage[1]).glob("by_arn/runs/*")))
    load = loader("apply", folder, "--json")
    shown = loader("show", *chosen.arguments, "by_arn", "u1")

    report = json.loads(load.out)
    assert plan.out.startswith(
        f"by_arn   configured_items → DynamoDB table {arn} ({ELSEWHERE}, on demand)"
    )
    assert (report["table"], report["region"], report["put"]) == (arn, ELSEWHERE, 6)
    assert elsewhere.scan(TableName="by_arn")["Count"] == 6
    assert shown.out.splitlines()[0] == "user_id  u1"


def test_a_missing_table_named_by_its_arn_is_not_created(
    loader: Run, elsewhere: Any, tmp_path: Path
) -> None:
    arn = f"arn:aws:dynamodb:{ELSEWHERE}:000000000000:table/no_such_table"
    chosen = project(tmp_path / "p", {"missing": export(arn, partitions=6)}, VIEW)

    run = loader("load", *chosen.arguments, *chosen.storage, "--create-table")

    assert (run.code, run.err) == (
        2,
        "1 problem with export missing, nothing was written\n"
        f"  1  table {arn} must exist, got none: create it; the loader creates a table only by "
        "its name, in its own account and Region\n",
    )


def test_two_exports_of_one_table_are_refused_if_one_names_it_by_its_arn(
    loader: Run, elsewhere: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    arn = elsewhere.describe_table(TableName="by_arn")["Table"]["TableArn"]
    exports = {"a": export(arn, partitions=6), "b": export("by_arn", partitions=6)}
    chosen = project(tmp_path / "p", exports, VIEW)
    monkeypatch.setenv("AWS_DEFAULT_REGION", ELSEWHERE)
    remedy = "give each export a different table, or disable all but one"

    run = loader("load", *chosen.arguments, *chosen.storage)

    assert (run.code, run.err) == (
        2,
        "2 problems with exports a, b, nothing was written\n"
        f"  1  table {arn} must be written by one export, got a and b (by_arn): {remedy}\n"
        f"  2  table by_arn must be written by one export, got b and a ({arn}): {remedy}\n",
    )


@pytest.mark.parametrize(
    ("config", "variables"),
    [
        ("services = here\n[services here]\ndynamodb =\n  endpoint_url = {url}\n", {}),
        ("endpoint_url = http://127.0.0.1:9\n", {"AWS_ENDPOINT_URL_DYNAMODB": "{url}"}),
    ],
)
def test_items_are_written_to_the_endpoint_that_boto3_finds(
    loader: Run,
    sandbox: Sandbox,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    config: str,
    variables: dict[str, str],
) -> None:
    chosen = project(tmp_path / "p", {"pointed_at": export("pointed_at", partitions=6)}, VIEW)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    for name in ("AWS_ENDPOINT_URL_DYNAMODB", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    with http_proxy(sandbox.settings.dynamodb_port) as server:
        url = f"http://127.0.0.1:{server.port}"
        (tmp_path / "config").write_text(f"[default]\n{config.format(url=url)}")
        for name, value in variables.items():
            monkeypatch.setenv(name, value.format(url=url))
        run = loader("load", *chosen.arguments, *chosen.storage, "--create-table")

    assert run.code == 0, run.err
    assert "BatchWriteItem" in {request.target for request in server.requests}


def test_configured_endpoints_are_ignored_if_the_variable_says_so(
    loader: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The table is then looked for at AWS, through a proxy that is not there."""
    chosen = project(tmp_path / "p", {"ignored": export("ignored", partitions=6)}, VIEW)
    monkeypatch.setenv("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true")
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    monkeypatch.delenv("NO_PROXY", raising=False)

    run = loader("load", *chosen.arguments, *chosen.storage)

    assert (run.code, run.err) == (
        2,
        "1 problem with export ignored, nothing was written\n"
        "  1  cannot connect to https://dynamodb.us-east-1.amazonaws.com through proxy "
        "http://127.0.0.1:9: [Errno 111] Connection refused. Check HTTPS_PROXY, or add "
        "dynamodb.us-east-1.amazonaws.com to NO_PROXY\n",
    )


def test_the_region_of_the_table_is_aws_region_and_two_that_differ_are_refused(
    loader: Run, elsewhere: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    chosen = project(tmp_path / "p", {"by_arn": export("by_arn", partitions=6)}, VIEW)
    monkeypatch.setenv("AWS_REGION", ELSEWHERE)
    both = loader("plan", *chosen.arguments, *chosen.storage)
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    alone = loader("plan", *chosen.arguments, *chosen.storage)

    assert (both.code, both.err) == (
        2,
        "1 problem with export by_arn, nothing was written\n"
        f"  1  AWS_REGION and AWS_DEFAULT_REGION must be the same, got {ELSEWHERE} and us-east-1: "
        "set the region of the table in both, or unset one of them\n",
    )
    assert alone.out.splitlines()[0].endswith(f"table by_arn ({ELSEWHERE}, on demand)")


def test_a_role_that_needs_an_mfa_code_is_refused_by_its_name(
    loader: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    chosen = project(tmp_path / "p", {"by_arn": export("by_arn", partitions=6)}, VIEW)
    (tmp_path / "config").write_text(
        "[profile person]\naws_access_key_id = a\naws_secret_access_key = b\n"
        "[profile admin]\nrole_arn = arn:aws:iam::111122223333:role/admin\n"
        "source_profile = person\nmfa_serial = arn:aws:iam::111122223333:mfa/person\n"
    )
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_PROFILE", "admin")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)

    run = loader("load", *chosen.arguments, *chosen.storage)

    assert (run.code, run.err) == (
        2,
        "1 problem with export by_arn, nothing was written\n"
        "  1  AWS profile admin must not need an MFA code, which Spark's workers cannot ask for, "
        "got mfa_serial: sign in before the load with "
        '`eval "$(aws configure export-credentials --profile admin --format env)"`\n',
    )
