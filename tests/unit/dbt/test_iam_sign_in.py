"""The IAM sign-in requests what dbt-redshift requests, from a server in AWS's place."""

import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from dbt.adapters.redshift.connections import RedshiftCredentials, get_connection_method
from redshift_connector.iam_helper import IamHelper

from loader.dbt.profile import connection
from loader.errors import Refused
from tests.support.aws_server import AwsServer, Call, aws_server

CLUSTER = "shop.abc123.eu-west-1.redshift.amazonaws.com"
SERVERLESS = "shop.123456789012.eu-west-1.redshift-serverless.amazonaws.com"
CREDENTIALS = """<{0}Response><{0}Result>
<DbUser>IAM:loader</DbUser><DbPassword>temporary</DbPassword>
</{0}Result></{0}Response>"""
# dbt's driver asks for 15 minutes, the loader for an hour.
DURATIONS = ("DurationSeconds", "durationSeconds")


def answer(call: Call) -> tuple[int, str]:
    if call.service == "redshift-serverless":
        return 200, json.dumps({"dbUser": "IAM:loader", "dbPassword": "temporary"})
    return 200, CREDENTIALS.format(call.action)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[AwsServer]:
    IamHelper.credentials_cache.clear()
    config = tmp_path / "config"
    config.write_text(
        "[profile analyst]\naws_access_key_id = AKANALYST\naws_secret_access_key = x\n"
    )
    with aws_server(answer) as server:
        for name, value in {
            "AWS_ENDPOINT_URL_REDSHIFT": server.url,
            "AWS_ENDPOINT_URL_REDSHIFT_SERVERLESS": server.url,
            "AWS_ACCESS_KEY_ID": "AKDEFAULT",
            "AWS_SECRET_ACCESS_KEY": "x",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_CONFIG_FILE": str(config),
            "AWS_EC2_METADATA_DISABLED": "true",
        }.items():
            monkeypatch.setenv(name, value)
        for name in ("AWS_PROFILE", "AWS_REGION", "AWS_SESSION_TOKEN"):
            monkeypatch.delenv(name, raising=False)
        yield server


def request(call: Call) -> dict[str, str]:
    """What the two must have in common: region, key and parameters."""
    kept = {name: value for name, value in call.parameters.items() if name not in DURATIONS}
    return {"key": call.key_id, "region": call.region, "Action": call.action, **kept}


def credentials(**fields: Any) -> RedshiftCredentials:
    """dbt's own object, with its defaults."""
    known = {"host": CLUSTER, "port": 5439, "database": "dev", "schema": "analytics"}
    return RedshiftCredentials(**{**known, "method": "iam", "user": "loader", **fields})


KEYS = {"access_key_id": "AKPROFILE", "secret_access_key": "x"}


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"cluster_id": "c"}, {"key": "AKDEFAULT", "region": "eu-west-1", "DbUser": "loader"}),
        ({"cluster_id": "c", "region": "eu-north-1"}, {"region": "eu-north-1"}),
        ({"cluster_id": "c", "iam_profile": "analyst"}, {"key": "AKANALYST"}),
        ({"cluster_id": "c", "iam_profile": "analyst", **KEYS}, {"key": "AKPROFILE"}),
        ({"cluster_id": "c", "autocreate": True, "db_groups": ["a"]}, {"AutoCreate": "true"}),
        (
            {"cluster_id": "c", "method": "iam_role", "user": None, "iam_profile": "analyst"},
            {"Action": "GetClusterCredentialsWithIAM", "key": "AKANALYST"},
        ),
        (
            {"host": SERVERLESS, "cluster_id": "ignored"},
            {"Action": "GetCredentials", "workgroupName": "shop", "region": "eu-west-1"},
        ),
        ({"host": SERVERLESS, "serverless_work_group": "wide"}, {"workgroupName": "wide"}),
        ({"host": SERVERLESS, "method": "iam_role", "user": None}, {"Action": "GetCredentials"}),
        (
            {"host": "shop.invalid", "is_serverless": True, "region": "eu-west-1"},
            {"customDomainName": "shop.invalid"},
        ),
    ],
)
def test_the_loader_requests_the_credentials_that_dbt_requests(
    fields: dict[str, Any], expected: dict[str, str], server: AwsServer
) -> None:
    signing_in = credentials(**fields)

    login = connection(signing_in).login()
    # dbt's driver asks for the credentials, and then cannot connect: the host does not exist.
    with suppress(Exception):
        get_connection_method(signing_in)()

    [of_loader, of_dbt] = map(request, server.calls)
    assert (login.user, login.password) == ("IAM:loader", "temporary")
    assert of_loader == of_dbt
    assert of_loader.items() >= expected.items()


@pytest.mark.parametrize(
    ("fields", "problems"),
    [
        (
            {"host": "shop.example.com"},
            [
                "dbt profile's method iam must have cluster_id or a serverless host, "
                "got shop.example.com alone: set cluster_id, or is_serverless"
            ],
        ),
        (
            {"cluster_id": "c", "user": None, "access_key_id": "AK"},
            [
                "dbt profile's method iam must have a user, got none: set user, or use iam_role",
                "dbt profile must have access_key_id and secret_access_key, got one of them: "
                "set both, or iam_profile",
            ],
        ),
    ],
)
def test_what_dbt_needs_for_iam_is_needed(fields: dict[str, Any], problems: list[str]) -> None:
    with pytest.raises(Refused) as refused:
        connection(credentials(**fields))

    assert refused.value.problems == problems


@pytest.mark.parametrize("method", ["browser_identity_center", "oauth_token_identity_center"])
def test_a_sign_in_by_identity_center_is_refused_by_name(method: str) -> None:
    with pytest.raises(Refused) as refused:
        connection(credentials(method=method))

    assert refused.value.problems == [
        f"dbt profile's method must be database, iam or iam_role, got {method}: "
        "choose another target"
    ]


def test_keys_of_the_dbt_profile_need_no_mfa_code_of_the_aws_profile(
    server: AwsServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "mfa"
    file.write_text(
        "[profile prod]\nrole_arn = arn:aws:iam::123456789012:role/loader\n"
        "mfa_serial = arn:aws:iam::123456789012:mfa/ann\nsource_profile = base\n"
        "[profile base]\naws_access_key_id = k\naws_secret_access_key = s\n"
    )
    monkeypatch.setenv("AWS_CONFIG_FILE", str(file))
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.setenv("AWS_PROFILE", "prod")

    assert connection(credentials(cluster_id="c", **KEYS)).login().user == "IAM:loader"
    with pytest.raises(Refused, match="AWS profile prod must not need an MFA code"):
        connection(credentials(cluster_id="c")).login()
    assert [call.key_id for call in server.calls] == ["AKPROFILE"]


@pytest.mark.parametrize(
    ("host", "variable"),
    [
        (CLUSTER, "AWS_ENDPOINT_URL_REDSHIFT"),
        (SERVERLESS, "AWS_ENDPOINT_URL_REDSHIFT_SERVERLESS"),
    ],
)
def test_the_variable_of_a_wrong_endpoint_is_named(
    server: AwsServer, monkeypatch: pytest.MonkeyPatch, host: str, variable: str
) -> None:
    monkeypatch.setenv(variable, "redshift.example")

    with pytest.raises(Refused, match=f"Invalid endpoint: redshift.example. Check {variable},"):
        connection(credentials(host=host, cluster_id="c")).login()


@pytest.mark.parametrize(
    ("host", "region"),
    [
        ("shop.1.cn-north-1.redshift-serverless.amazonaws.com.cn", "cn-north-1"),
        ("shop.1.us-gov-west-1.redshift-serverless.amazonaws.com", "us-gov-west-1"),
        ("shop.1.eusc-de-east-1.redshift-serverless.amazonaws.eu", "eusc-de-east-1"),
    ],
)
def test_the_region_of_a_host_is_known_in_every_partition(
    server: AwsServer, host: str, region: str
) -> None:
    connection(credentials(host=host)).login()

    [call] = server.calls
    assert (call.region, call.parameters["workgroupName"]) == (region, "shop")
