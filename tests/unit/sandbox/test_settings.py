from pathlib import Path

import pytest

from sandbox.errors import UsageError
from sandbox.settings import Settings, load_settings


def test_options_take_precedence_over_variables_and_those_over_saved_ports(tmp_path: Path) -> None:
    Settings(tmp_path, redshift_port=1, postgres_port=2, dynamodb_port=3).save()

    settings = load_settings(
        {
            "SANDBOX_DIR": str(tmp_path),
            "SANDBOX_POSTGRES_PORT": "20",
            "SANDBOX_DYNAMODB_PORT": "30",
        },
        {"dynamodb_port": 300, "redshift_port": None},
    )

    assert settings.ports() == {"redshift_port": 1, "postgres_port": 20, "dynamodb_port": 300}


@pytest.fixture(autouse=True)
def without_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "NO_PROXY", "no_proxy", "AWS_REGION"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("exceptions", "hosts"), [("", "127.0.0.1"), ("a.example", "a.example,127.0.0.1")]
)
def test_the_environment_keeps_the_proxy_and_the_region_of_this_machine_from_the_sandbox(
    monkeypatch: pytest.MonkeyPatch, exceptions: str, hosts: str
) -> None:
    monkeypatch.setenv("http_proxy", "http://proxy.example:3128")
    monkeypatch.setenv("NO_PROXY", exceptions)
    monkeypatch.setenv("AWS_REGION", "eu-west-1")

    env = Settings().env()

    names = ("NO_PROXY", "no_proxy", "AWS_REGION", "AWS_DEFAULT_REGION")
    assert [env[name] for name in names] == [hosts, hosts, "us-east-1", "us-east-1"]


def test_the_environment_makes_every_client_use_the_sandbox() -> None:
    assert Settings(redshift_port=1, postgres_port=2, dynamodb_port=3).env() == {
        "REDSHIFT_HOST": "127.0.0.1",
        "REDSHIFT_PORT": "1",
        "REDSHIFT_USER": "loader_dev",
        "REDSHIFT_PASSWORD": "Sandbox-0nly",
        "REDSHIFT_DATABASE": "dev",
        "AWS_ENDPOINT_URL_DYNAMODB": "http://127.0.0.1:3",
        "AWS_ENDPOINT_URL_S3": "http://127.0.0.1:3",
        "AWS_ACCESS_KEY_ID": "sandbox",
        "AWS_SECRET_ACCESS_KEY": "sandbox",
        "AWS_DEFAULT_REGION": "us-east-1",
    }


@pytest.mark.parametrize(
    ("environ", "message"),
    [
        ({"SANDBOX_REDSHIFT_PORT": "x"}, "SANDBOX_REDSHIFT_PORT must be a port number, got 'x'"),
        (
            {"SANDBOX_REDSHIFT_PORT": "70000"},
            "redshift_port must be between 1 and 65535, got 70000",
        ),
        ({"SANDBOX_REDSHIFT_PORT": "18000"}, "the ports of the sandbox must differ, got"),
    ],
)
def test_an_invalid_port_is_refused(tmp_path: Path, environ: dict[str, str], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        load_settings({"SANDBOX_DIR": str(tmp_path), **environ}, {})
