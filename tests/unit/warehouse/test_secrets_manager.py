"""User and password from a secret of AWS Secrets Manager, read from a server in AWS's place."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from loader.errors import Refused
from loader.warehouse.connection import Connection, source_connection
from loader.warehouse.jdbc_source import JdbcSource
from loader.warehouse.sign_in import SignIn
from tests.support.aws_server import AwsServer, Call, aws_server, json_error

ARN = "arn:aws:secretsmanager:eu-north-1:111111111111:secret:shop/loader-AbCdEf"
# As Redshift manages it.
MANAGED = {"engine": "redshift", "host": "x.example", "username": "loader", "password": "hunter2"}


@pytest.fixture
def secrets() -> dict[str, object]:
    """By name or ARN: the answer's fields, or a code of an error."""
    return {}


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, secrets: dict[str, object]) -> Iterator[AwsServer]:
    def answer(call: Call) -> tuple[int, str]:
        found = secrets.get(call.parameters["SecretId"], "ResourceNotFoundException")
        if isinstance(found, dict):
            return 200, json.dumps({"Name": "shop/loader", **found})
        return json_error(str(found), "User: arn:aws:iam::1:user/me may not read it")

    with aws_server(answer) as server:
        for name, value in {
            "AWS_ENDPOINT_URL_SECRETS_MANAGER": server.url,
            "AWS_ACCESS_KEY_ID": "AKDEFAULT",
            "AWS_SECRET_ACCESS_KEY": "x",
            "AWS_REGION": "us-east-1",
        }.items():
            monkeypatch.setenv(name, value)
        for name in ("AWS_PROFILE", "AWS_DEFAULT_REGION", "AWS_SESSION_TOKEN"):
            monkeypatch.delenv(name, raising=False)
        yield server


def connection(secret: str, allow_plain_http: bool = False) -> Connection:
    how = SignIn("secret", secret=secret)
    return Connection(
        "redshift", "shop.example", 5439, "dev", how, allow_plain_http=allow_plain_http
    )


def refusal(secret: str) -> list[str]:
    with pytest.raises(Refused) as refused:
        connection(secret).login()
    return refused.value.problems


@pytest.mark.parametrize(("secret", "region"), [(ARN, "eu-north-1"), ("shop/loader", "us-east-1")])
def test_user_and_password_are_those_of_the_secret_in_the_region_of_its_arn(
    server: AwsServer, secrets: dict[str, object], secret: str, region: str
) -> None:
    secrets[secret] = {"SecretString": json.dumps(MANAGED)}

    login = connection(secret).login()

    assert (login.user, login.password) == ("loader", "hunter2")
    assert [(c.action, c.region, c.parameters) for c in server.calls] == [
        ("GetSecretValue", region, {"SecretId": secret})
    ]


@pytest.mark.parametrize(
    "text",
    [
        *("hunter2", '"hunter2"', "[]", '{"username": "u"}', None),
        '{"username": "", "password": "hunter2"}',
        '{"username": "u", "password": ""}',
    ],
)
def test_a_secret_of_another_form_is_refused_without_its_text(
    server: AwsServer, secrets: dict[str, object], text: str | None
) -> None:
    secrets["odd"] = {"SecretString": text} if text else {"SecretBinary": "aHVudGVyMg=="}

    assert refusal("odd") == [
        "secret odd must be JSON with username and password, got another form: store them as in a "
        "secret that Redshift manages"
    ]


def test_a_secret_that_cannot_be_read_is_named_with_aws_reason(
    server: AwsServer, secrets: dict[str, object]
) -> None:
    secrets["shop/loader"] = "AccessDeniedException"

    assert refusal("shop/loader") == [
        "cannot read secret shop/loader to sign in to shop.example: An error occurred "
        "(AccessDeniedException) when calling the GetSecretValue operation: User: "
        "arn:aws:iam::1:user/me may not read it. Check its name, its Region and the permission "
        "secretsmanager:GetSecretValue"
    ]


def test_a_secret_is_not_asked_for_in_plain_text(
    server: AwsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_SECRETS_MANAGER", "http://secrets.example")

    assert refusal("shop/loader") == [
        "endpoint of Secrets Manager must be https:// unless it is on this machine, got "
        "http://secrets.example: use https, or accept plain text with --allow-plain-http"
    ]
    assert server.calls == []


@pytest.mark.parametrize(
    ("endpoint", "problem"),
    [
        (
            "https://me:hunter2@secrets.example",
            "endpoint of Secrets Manager must be https://host, https://host:port or "
            "https://host:port/path, got https://***@secrets.example: correct "
            "AWS_ENDPOINT_URL_SECRETS_MANAGER, AWS_ENDPOINT_URL or the AWS profile",
        ),
        (
            "me:hunter2@secrets.example",
            "cannot create a client of Secrets Manager: Invalid endpoint: ***@secrets.example. "
            "Check AWS_ENDPOINT_URL_SECRETS_MANAGER, AWS_ENDPOINT_URL and the AWS profile",
        ),
    ],
)
def test_a_wrong_endpoint_is_refused_without_its_password(
    server: AwsServer, monkeypatch: pytest.MonkeyPatch, endpoint: str, problem: str
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_SECRETS_MANAGER", endpoint)

    assert refusal("shop/loader") == [problem]


def test_a_profile_that_needs_an_mfa_code_is_refused_before_it_is_asked_for(
    server: AwsServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    config = tmp_path / "config"
    config.write_text(
        "[profile prod]\nrole_arn = arn:aws:iam::123456789012:role/loader\n"
        "mfa_serial = arn:aws:iam::123456789012:mfa/ann\nsource_profile = base\n"
        "[profile base]\naws_access_key_id = k\naws_secret_access_key = s\n"
    )
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    monkeypatch.setenv("AWS_PROFILE", "prod")
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")

    [problem] = refusal("shop/loader")

    assert problem.startswith("AWS profile prod must not need an MFA code")
    assert server.calls == []


def test_the_user_of_another_database_is_that_of_the_secret(
    server: AwsServer, secrets: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    source = JdbcSource("jdbc:mariadb://db.example/shop?x=1", "org.mariadb.jdbc.Driver", "a:b:1")
    secrets["shop/loader"] = {"SecretString": json.dumps(MANAGED)}

    assert source_connection(source, "shop/loader").login().user == "loader"
    with pytest.raises(Refused, match="secret no to sign in to mariadb://"):
        source_connection(source, "no").login()
    # Another machine, in a way.
    url = server.url.replace("127.0.0.1", "0.0.0.0")  # noqa: S104
    monkeypatch.setenv("AWS_ENDPOINT_URL_SECRETS_MANAGER", url)
    with pytest.raises(Refused, match="must be https://"):
        source_connection(source, "shop/loader").login()
    assert source_connection(source, "shop/loader", allow_plain_http=True).login().user == "loader"
