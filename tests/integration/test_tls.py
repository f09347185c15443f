"""Every connection verifies the certificate of its server: real servers, self-signed ones."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
import pytest

from loader.dynamodb.answers import Answer, FailureKind
from loader.dynamodb.endpoint import Endpoint
from loader.dynamodb.sender import Sender
from sandbox import Sandbox
from tests.support.projects import Project, export, project
from tests.support.relations import sixty_rows
from tests.support.tables import create_table
from tests.support.tls_proxies import Certificate, http_proxy, make_certificate, postgres_proxy

pytestmark = pytest.mark.integration

Run = Callable[..., Any]
VIEW = "analytics.tls_items"
PUT = b'{"RequestItems":{"tls":[{"PutRequest":{"Item":{"user_id":{"S":"u1"}}}}]}}'
PROFILE = """
redshift_to_dynamodb:
  target: tls
  outputs:
    tls:
      type: {type}
      host: 127.0.0.1
      port: {port}
      dbname: dev
      user: loader_dev
      password: Sandbox-0nly
      schema: analytics
      sslmode: verify-full
      {trust}
"""


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    """A certificate for 127.0.0.1."""
    return make_certificate(tmp_path_factory.mktemp("tls") / "ours", "IP:127.0.0.1")


@pytest.fixture(scope="module")
def of_another(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    """A certificate for another host."""
    return make_certificate(tmp_path_factory.mktemp("tls") / "other", "DNS:other.example")


@pytest.fixture(autouse=True)
def default_authorities(monkeypatch: pytest.MonkeyPatch) -> None:
    """Removes the authorities that this machine trusts in addition to the default ones."""
    for name in ("AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="module", autouse=True)
def view(sandbox: Sandbox) -> None:
    sixty_rows(sandbox, VIEW)


@pytest.fixture
def table(dynamodb: Any) -> str:
    pages = dynamodb.get_paginator("list_tables").paginate()
    if not any("tls" in page["TableNames"] for page in pages):
        create_table(dynamodb, "tls")
    return "tls"


def refusal(subject: str, problem: str) -> str:
    return f"1 problem with {subject}, nothing was written\n  1  {problem}\n"


# DynamoDB


def send(port: int) -> Answer:
    sender = Sender(Endpoint(f"https://127.0.0.1:{port}", "us-east-1", "tls"))
    sender.send(0, PUT)
    ((_, answer),) = sender.poll(30)
    return answer


def untrusted(port: int, why: str) -> tuple[FailureKind | None, str, str]:
    cause = f"https://127.0.0.1:{port}: [SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed"
    return FailureKind.TRANSIENT, "SSLCertVerificationError", f"{cause}: {why}"


def outcome(answer: Answer) -> tuple[FailureKind | None, str, str]:
    return answer.failure, answer.error, answer.cause.partition(" (_ssl.c:")[0]


def test_items_are_not_sent_to_a_server_with_a_self_signed_certificate(
    sandbox: Sandbox, sandbox_env: Any, table: str, ours: Certificate
) -> None:
    with http_proxy(sandbox.settings.dynamodb_port, ours) as proxy:
        answer = send(proxy.port)

    assert outcome(answer) == untrusted(proxy.port, "self-signed certificate")
    assert proxy.requests == []


@pytest.mark.parametrize("place", ["AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "ca_bundle"])
def test_items_are_sent_to_a_server_whose_authority_is_in_the_bundle_that_botocore_finds(
    sandbox: Sandbox,
    sandbox_env: Any,
    table: str,
    ours: Certificate,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    place: str,
) -> None:
    if place == "ca_bundle":
        (tmp_path / "config").write_text(f"[default]\nca_bundle = {ours.file}\n")
        monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    else:
        monkeypatch.setenv(place, str(ours.file))
    with http_proxy(sandbox.settings.dynamodb_port, ours) as proxy:
        answer = send(proxy.port)
        client = boto3.session.Session().client(
            "dynamodb", endpoint_url=f"https://127.0.0.1:{proxy.port}"
        )
        described = client.describe_table(TableName="tls")

    assert outcome(answer) == (None, "", "")
    assert described["Table"]["TableName"] == "tls"


def test_items_are_not_sent_to_a_server_with_the_certificate_of_another_host(
    sandbox: Sandbox,
    sandbox_env: Any,
    of_another: Certificate,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_CA_BUNDLE", str(of_another.file))
    with http_proxy(sandbox.settings.dynamodb_port, of_another) as proxy:
        answer = send(proxy.port)

    why = "IP address mismatch, certificate is not valid for '127.0.0.1'."
    assert outcome(answer) == untrusted(proxy.port, why)
    assert proxy.requests == []


def test_a_load_sends_items_and_the_files_of_the_run_over_tls(
    sandbox: Sandbox, dynamodb: Any, items: Run, ours: Certificate, tmp_path: Path
) -> None:
    env = sandbox.env()
    keys = {name.lower(): env[name] for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")}
    s3 = boto3.client(
        "s3", endpoint_url=env["AWS_ENDPOINT_URL_S3"], region_name="us-east-1", **keys
    )
    s3.create_bucket(Bucket="tls-runs")
    chosen = project(tmp_path / "p", {"tls": export("over_tls", partitions=6)}, VIEW)
    with http_proxy(sandbox.settings.dynamodb_port, ours) as proxy:
        url = f"https://127.0.0.1:{proxy.port}"
        command = ["load", *chosen.arguments, "--storage", "s3://tls-runs/x", "--create-table"]
        run = subprocess.run(
            [sys.executable, "-m", "loader", *command],
            env={**os.environ, **env, "AWS_ENDPOINT_URL": url, "AWS_CA_BUNDLE": str(ours.file)}
            | {"AWS_ENDPOINT_URL_DYNAMODB": url, "AWS_ENDPOINT_URL_S3": url},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )

    assert run.returncode == 0, run.stderr
    assert len(items("over_tls")) == 6
    assert "BatchWriteItem" in {request.target for request in proxy.requests}
    assert any(request.path.startswith("/tls-runs/x/") for request in proxy.requests)


# The warehouse


def of_type(kind: str, folder: Path, port: int, authorities: Certificate | None = None) -> Project:
    trust = f"sslrootcert: {authorities.file}" if authorities else ""
    profile = PROFILE.format(type=kind, port=port, trust=trust)
    return project(folder / "p", {"tls": export("tls", partitions=6)}, VIEW, profile)


def load(loader: Run, chosen: Project) -> Any:
    return loader("load", *chosen.arguments, *chosen.storage)


def unanswered(port: int, why: str) -> str:
    remedy = "Check sslmode, host and certificate authority (docs/security.md)"
    problem = f"cannot read from 127.0.0.1:{port}/dev as user loader_dev: {why}. {remedy}"
    return refusal("export tls", problem)


NO_PATH = "unable to find valid certification path to requested target"


def test_redshift_with_a_self_signed_certificate_is_not_read(
    loader: Run, sandbox: Sandbox, table: str, tmp_path: Path, ours: Certificate
) -> None:
    with postgres_proxy(sandbox.settings.redshift_port, ours) as port:
        run = load(loader, of_type("redshift", tmp_path, port))

    why = (
        "SSL error: PKIX path building failed: "
        f"sun.security.provider.certpath.SunCertPathBuilderException: {NO_PATH} "
        f"(SunCertPathBuilderException: {NO_PATH})"
    )
    assert (run.code, run.err) == (2, unanswered(port, why))


@pytest.mark.parametrize("kind", ["redshift", "postgres"])
def test_a_warehouse_without_tls_is_not_read_in_plain_text(
    loader: Run, sandbox: Sandbox, table: str, tmp_path: Path, ours: Certificate, kind: str
) -> None:
    port = getattr(sandbox.settings, f"{kind}_port")

    run = load(loader, of_type(kind, tmp_path, port, ours))

    assert (run.code, run.err) == (2, unanswered(port, "The server does not support SSL"))


def test_postgres_with_a_certificate_signed_by_sslrootcert_is_read(
    loader: Run, sandbox: Sandbox, table: str, tmp_path: Path, items: Run, ours: Certificate
) -> None:
    with postgres_proxy(sandbox.settings.postgres_port, ours) as port:
        run = load(loader, of_type("postgres", tmp_path, port, ours))

    assert (run.code, len(items("tls"))) == (0, 6), run.err


def test_postgres_with_a_certificate_of_another_authority_is_not_read(
    loader: Run,
    sandbox: Sandbox,
    table: str,
    tmp_path: Path,
    ours: Certificate,
    of_another: Certificate,
) -> None:
    with postgres_proxy(sandbox.settings.postgres_port, ours) as port:
        run = load(loader, of_type("postgres", tmp_path, port, of_another))

    chain = "Path does not chain with any of the trust anchors"
    why = (
        "SSL error: PKIX path validation failed: java.security.cert.CertPathValidatorException: "
        f"{chain} (CertPathValidatorException: {chain})"
    )
    assert (run.code, run.err) == (2, unanswered(port, why))


def test_postgres_with_the_certificate_of_another_host_is_not_read(
    loader: Run, sandbox: Sandbox, table: str, tmp_path: Path, of_another: Certificate
) -> None:
    with postgres_proxy(sandbox.settings.postgres_port, of_another) as port:
        run = load(loader, of_type("postgres", tmp_path, port, of_another))

    verifier = "hostnameverifier PgjdbcHostnameVerifier"
    why = f"The hostname 127.0.0.1 could not be verified by {verifier}"
    assert (run.code, run.err) == (2, unanswered(port, why))
