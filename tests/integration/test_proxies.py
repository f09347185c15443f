"""Loads through proxies: forward proxies, and gateways in front of DynamoDB."""

# ruff: noqa: S608  the names of relations in the SQL are constants of the tests

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
import pytest

from sandbox import Sandbox
from tests.support.fault_proxies import DynamoDBProxy, Exchange
from tests.support.forward_proxy import forward_proxy
from tests.support.marked_processes import mark, wait_for_end
from tests.support.projects import export, project
from tests.support.relations import sixty_rows
from tests.support.tls_proxies import Certificate, http_proxy, make_certificate

pytestmark = pytest.mark.integration

Run = Callable[..., Any]
VIEW = "analytics.proxied_items"
WIDE_VIEW = "analytics.gateway_items"
LOGIN = "loader:p%40ss-Pr0xy"


@pytest.fixture(scope="module", autouse=True)
def views(sandbox: Sandbox) -> None:
    sixty_rows(sandbox, VIEW)
    with sandbox.connect() as connection, connection.cursor() as cursor:
        cursor.execute(
            f"create table {WIDE_VIEW} as select 'u' || n as user_id, n % 6 as partition_id, "
            "'i' as item_id, 1 as line_number, now()::timestamp as purchased_at "
            "from generate_series(1, 600) as n"
        )
    connection.close()


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    """A certificate for the names that only the proxy resolves, among them AWS's own."""
    names = ["dynamodb.proxied.test", "dynamodb.us-east-1.amazonaws.com"]
    names += ["*.s3.amazonaws.com", "*.s3.eu-west-1.amazonaws.com"]
    alternatives = ",".join(f"DNS:{name}" for name in names)
    return make_certificate(tmp_path_factory.mktemp("proxied") / "ours", alternatives)


@pytest.fixture(autouse=True)
def without_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    """Removes the proxies of this machine."""
    for scheme in ("http", "https", "no"):
        monkeypatch.delenv(f"{scheme}_proxy", raising=False)
        monkeypatch.delenv(f"{scheme}_proxy".upper(), raising=False)


def test_a_load_through_a_proxy_that_alone_resolves_aws_writes_both_services_over_tls(
    sandbox: Sandbox, items: Run, authority: Certificate, tmp_path: Path
) -> None:
    s3 = boto3.client(
        "s3",
        endpoint_url=sandbox.env()["AWS_ENDPOINT_URL_S3"],
        region_name="eu-west-1",
        aws_access_key_id="sandbox",
        aws_secret_access_key="sandbox",  # noqa: S106  the emulator takes any
    )
    # In another region than the table.
    s3.create_bucket(
        Bucket="proxied", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
    )
    chosen = project(tmp_path / "p", {"proxied": export("proxied", partitions=6)}, VIEW)
    (tmp_path / "temporary").mkdir()
    environment = os.environ | sandbox.env() | {"TMPDIR": str(tmp_path / "temporary")}
    with (
        http_proxy(sandbox.settings.dynamodb_port, authority) as server,
        forward_proxy({"amazonaws.com": server.port}, login="loader:p@ss-Pr0xy") as proxy,
    ):
        command = ["load", *chosen.arguments, "--storage", "s3://proxied/runs"]
        run = subprocess.run(
            [sys.executable, "-m", "loader", *command, "--create-table", "--keep"],
            env={
                **{n: v for n, v in environment.items() if not n.startswith("AWS_ENDPOINT_URL")},
                "AWS_CA_BUNDLE": str(authority.file),
                "https_proxy": f"http://{LOGIN}@127.0.0.1:{proxy.port}",
                **mark("proxied"),
            },
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )

    wait_for_end("proxied")
    assert run.returncode == 0, run.stderr
    assert len(items("proxied")) == 6
    assert set(proxy.served) == {
        "CONNECT dynamodb.us-east-1.amazonaws.com",
        "CONNECT proxied.s3.amazonaws.com",
        "CONNECT proxied.s3.eu-west-1.amazonaws.com",
    }
    assert {"DescribeTable", "BatchWriteItem"} <= {request.target for request in server.requests}
    keys = [entry["Key"] for entry in s3.list_objects_v2(Bucket="proxied")["Contents"]]
    of_run = {key.split("/")[4] for key in keys if "/runs/" in key}
    assert of_run > {"changes", "plan.json", "report.json"}
    objects = [s3.get_object(Bucket="proxied", Key=key)["Body"].read() for key in keys]
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert "spark.log" in {path.name for path in files}
    shown = [*objects, *(f.read_bytes() for f in files), (run.stdout + run.stderr).encode()]
    assert b"ss-Pr0xy" not in b"".join(shown)


def test_a_proxy_that_does_not_connect_is_named_without_its_password_before_the_plan(
    loader: Run,
    sandbox: Sandbox,
    authority: Certificate,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    chosen = project(tmp_path / "p", {"proxied": export("proxied", partitions=6)}, VIEW)
    with (
        http_proxy(sandbox.settings.dynamodb_port, authority) as server,
        forward_proxy({"proxied.test": server.port}, login="loader:p@ss-Pr0xy") as proxy,
    ):
        address = f"127.0.0.1:{proxy.port}"

        def load(login: str, host: str, scheme: str = "http") -> str:
            monkeypatch.setenv("HTTPS_PROXY", f"{scheme}://{login}@{address}")
            monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", f"https://{host}")
            run = loader("load", *chosen.arguments, *chosen.storage)
            assert run.code == 2
            return str(run.err)

        wrong = load("loader:wr0ng", "dynamodb.proxied.test")
        untrusted = load(LOGIN, "dynamodb.proxied.test")
        forbidden = load(LOGIN, "other.test")
        of_another_kind = load(LOGIN, "dynamodb.proxied.test", "socks5")
    refused = load(LOGIN, "dynamodb.proxied.test")
    shown = loader("show", *chosen.arguments, "proxied", "u1")

    def unreachable(host: str, cause: str) -> str:
        return (
            f"cannot connect to https://{host} through proxy http://{address}: {cause}. "
            f"Check HTTPS_PROXY, or add {host} to NO_PROXY"
        )

    def refusal(problem: str, subject: str = "export proxied") -> str:
        return f"1 problem with {subject}, nothing was written\n  1  {problem}\n"

    login = "Tunnel connection failed: 407 Proxy Authentication Required"
    assert wrong == refusal(unreachable("dynamodb.proxied.test", login))
    assert forbidden == refusal(
        unreachable("other.test", "Tunnel connection failed: 403 Forbidden")
    )
    assert untrusted == refusal(
        f"cannot connect to https://dynamodb.proxied.test through proxy http://{address}: "
        "[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: self-signed certificate. "
        "Check the endpoint, or name its certificate authority in AWS_CA_BUNDLE"
    )
    assert of_another_kind == refusal(
        f"HTTPS_PROXY must be http://host:port, got socks5://***@{address}: "
        "name an HTTP proxy, or add dynamodb.proxied.test to NO_PROXY"
    )
    dead = unreachable("dynamodb.proxied.test", "[Errno 111] Connection refused")
    assert (refused, shown.err) == (refusal(dead), refusal(dead, "the run"))


# Forms of an answer that HTTP allows; those of LAST_FORMS end their connection.
FORMS = (
    b"HTTP/1.1 200 OK\r\ncontent-length: %(length)d\r\n\r\n%(body)s",
    b"HTTP/1.1 200 OK\r\nTRANSFER-ENCODING: chunked\r\n\r\n%(length)x\r\n%(body)s\r\n0\r\n\r\n",
    b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200\nContent-Length:%(length)d\n\n%(body)s",
)
LAST_FORMS = (
    b"HTTP/1.1 200 OK\r\n\r\n%(body)s",
    b"HTTP/1.0 200 OK\r\nContent-Length: %(length)d\r\n\r\n%(body)s",
    b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %(length)d\r\n\r\n%(body)s",
)


async def any_form(x: Exchange) -> None:
    """Answer in another form each time; every second answer ends its connection."""
    body = (await x.forward()).body
    forms = LAST_FORMS if x.number % 2 else FORMS
    form = forms[x.number // 2 % len(forms)]
    x.client.write(form % {b"length": len(body), b"body": body})
    if x.number % 2:
        await x.client.drain()
        x.client.close()


def test_a_gateway_with_a_path_may_answer_in_any_form_that_http_allows(
    loader: Run, sandbox: Sandbox, items: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    chosen = project(tmp_path / "p", {"gateway": export("gateway", partitions=6)}, WIDE_VIEW)
    with DynamoDBProxy(sandbox.settings.dynamodb_port, any_form) as gateway:
        url = f"http://127.0.0.1:{gateway.port}/ddb/v1"
        monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", url)
        run = loader("load", *chosen.arguments, *chosen.storage, "--create-table", "--json")

    report = json.loads(run.out)
    assert (run.code, len(items("gateway"))) == (0, 600), run.err
    assert (report["put"], report["retries"]) == (600, 0)
    assert report["requests"] == gateway.requests >= 2 * len(FORMS + LAST_FORMS)
