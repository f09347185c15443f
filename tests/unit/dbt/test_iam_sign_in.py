"""The IAM sign-in requests what dbt-redshift requests, from a server in AWS's place."""

import json
import re
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import parse_qsl

import pytest
from dbt.adapters.redshift.connections import RedshiftCredentials, get_connection_method
from redshift_connector.iam_helper import IamHelper

from loader.dbt.profile import connection
from loader.errors import Refused

CLUSTER = "shop.abc123.eu-west-1.redshift.amazonaws.com"
SERVERLESS = "shop.123456789012.eu-west-1.redshift-serverless.amazonaws.com"
CREDENTIALS = """<{0}Response><{0}Result>
<DbUser>IAM:loader</DbUser><DbPassword>temporary</DbPassword>
</{0}Result></{0}Response>"""
# dbt's driver asks for 15 minutes, the loader for an hour.
DURATIONS = ("DurationSeconds", "durationSeconds")


class Redshift(BaseHTTPRequestHandler):
    """Gives temporary credentials, and keeps the requests: region, key and parameters."""

    requests: list[dict[str, str]]

    def log_message(self, *_: object) -> None:
        """Keep the output of the tests clean."""

    def do_POST(self) -> None:
        text = self.rfile.read(int(self.headers["Content-Length"])).decode()
        target = self.headers.get("X-Amz-Target", "")
        if target:
            parameters = {"Action": target.split(".")[1], **json.loads(text)}
            body = json.dumps({"dbUser": "IAM:loader", "dbPassword": "temporary", "expiration": 0})
        else:
            parameters = dict(parse_qsl(text))
            body = CREDENTIALS.format(parameters["Action"])
        signed = re.search(r"Credential=(\w+)/\d+/([\w-]+)/", self.headers["Authorization"])
        assert signed
        kept = {name: str(v) for name, v in parameters.items() if name not in DURATIONS}
        self.requests.append({"key": signed[1], "region": signed[2], **kept})
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())


@pytest.fixture
def requests(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[list[dict[str, str]]]:
    kept: list[dict[str, str]] = []
    IamHelper.credentials_cache.clear()
    handler = type("Handler", (Redshift,), {"requests": kept})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = Thread(target=server.serve_forever)
    thread.start()
    config = tmp_path / "config"
    config.write_text(
        "[profile analyst]\naws_access_key_id = AKANALYST\naws_secret_access_key = x\n"
    )
    url = f"http://127.0.0.1:{server.server_address[1]}"
    for name, value in {
        "AWS_ENDPOINT_URL_REDSHIFT": url,
        "AWS_ENDPOINT_URL_REDSHIFT_SERVERLESS": url,
        "AWS_ACCESS_KEY_ID": "AKDEFAULT",
        "AWS_SECRET_ACCESS_KEY": "x",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_CONFIG_FILE": str(config),
        "AWS_EC2_METADATA_DISABLED": "true",
    }.items():
        monkeypatch.setenv(name, value)
    for name in ("AWS_PROFILE", "AWS_REGION", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    yield kept
    server.shutdown()
    server.server_close()
    thread.join()


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
    fields: dict[str, Any], expected: dict[str, str], requests: list[dict[str, str]]
) -> None:
    signing_in = credentials(**fields)

    made = connection(signing_in)
    # dbt's driver asks for the credentials, and then cannot connect: the host does not exist.
    with suppress(Exception):
        get_connection_method(signing_in)()

    [of_loader, of_dbt] = requests
    assert (made.user, made.password) == ("IAM:loader", "temporary")
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
