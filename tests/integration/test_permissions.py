"""A run makes only the calls of its IAM policy, and only its owner can read its files."""

from __future__ import annotations

import json
import os
import re
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
import pytest

from sandbox import Sandbox
from tests.support.projects import export, project
from tests.support.relations import sixty_rows
from tests.support.repository import REPOSITORY
from tests.support.tls_proxies import Request, http_proxy

pytestmark = pytest.mark.integration

Run = Callable[..., Any]
POLICIES = REPOSITORY / "docs" / "iam"
VIEW = "analytics.allowed_items"
# The action that allows a request of S3:
# https://docs.aws.amazon.com/AmazonS3/latest/API/mpUploadObject.html (the parts of an upload need
# s3:PutObject) and
# https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html
S3_ACTIONS = (
    ("DELETE", r"[?&]uploadId=", "s3:AbortMultipartUpload"),
    ("DELETE", r"", "s3:DeleteObject"),
    ("POST", r"\?delete", "s3:DeleteObject"),
    ("POST", r"\?uploads|[?&]uploadId=", "s3:PutObject"),
    ("PUT", r"", "s3:PutObject"),
    ("GET", r"[?&](list-type|prefix|delimiter)", "s3:ListBucket"),
    ("HEAD", r"^/[^/?]+/?$", "s3:ListBucket"),
    ("HEAD", r"", "s3:GetObject"),
    ("GET", r"^/[^/?]+/[^?]", "s3:GetObject"),
)


def action(request: Request) -> str:
    if request.target:
        return f"dynamodb:{request.target}"
    for method, path, name in S3_ACTIONS:
        if request.method == method and re.search(path, request.path):
            return name
    return f"unknown {request}"


def allowed(*names: str) -> set[str]:
    permitted: set[str] = set()
    for name in names:
        for statement in json.loads((POLICIES / f"{name}.json").read_text())["Statement"]:
            actions = statement["Action"]
            permitted |= {actions} if isinstance(actions, str) else set(actions)
    return permitted


@pytest.fixture(scope="module", autouse=True)
def view(sandbox: Sandbox) -> None:
    sixty_rows(sandbox, VIEW)


def command(
    sandbox: Sandbox, *arguments: str, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run the loader in a new process with this environment."""
    return subprocess.run(
        [sys.executable, "-m", "loader", *arguments],
        env=os.environ | sandbox.env() | environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_every_verb_makes_exactly_the_calls_that_its_policies_allow(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    env = sandbox.env()
    keys = {name.lower(): env[name] for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")}
    url = env["AWS_ENDPOINT_URL_S3"]
    boto3.client("s3", endpoint_url=url, region_name="us-east-1", **keys).create_bucket(
        Bucket="allowed"
    )
    chosen = project(tmp_path / "p", {"allowed": export("allowed", partitions=6)}, VIEW)
    project_dir, storage = chosen.arguments, ["--storage", "s3://allowed/runs"]
    dynamodb: dict[str, set[str]] = {}
    s3: dict[str, set[str]] = {}

    def run(name: str, code: int, *arguments: str) -> str:
        with http_proxy(sandbox.settings.dynamodb_port) as proxy:
            address = f"http://127.0.0.1:{proxy.port}"
            places = {f"AWS_ENDPOINT_URL_{of}": address for of in ("DYNAMODB", "S3")}
            done = command(sandbox, *arguments, **places)
            assert done.returncode == code, done.stderr
        actions = {action(request) for request in proxy.requests}
        dynamodb[name] = {a for a in actions if a.startswith("dynamodb:")}
        s3[name] = actions - dynamodb[name]
        return done.stdout

    run("create", 0, "load", *project_dir, *storage, "--create-table")
    planned = run("plan", 0, "plan", *project_dir, *storage, "--full", "--json")
    run("changeset", 0, "apply", json.loads(planned)["folder"])
    run("load", 0, "load", *project_dir, *storage, "--full")
    run("show", 0, "show", "allowed", "u1", *project_dir)

    assert dynamodb == {
        "plan": allowed("dynamodb-plan"),
        "load": allowed("dynamodb-load"),
        # A plan of a table that exists reads its time to live.
        "changeset": allowed("dynamodb-load") - {"dynamodb:DescribeTimeToLive"},
        "create": allowed("dynamodb-load", "dynamodb-create-table")
        - {"dynamodb:DescribeTimeToLive"},
        "show": allowed("dynamodb-show"),
    }
    assert s3["show"] == set()
    assert set().union(*s3.values()) <= allowed("storage-s3")
    # An upload is aborted only when it breaks.
    assert allowed("storage-s3") - set().union(*s3.values()) == {"s3:AbortMultipartUpload"}


def modes(folder: Path) -> dict[Path, tuple[str, str]]:
    """Kind and mode of the folder and of everything in it now."""
    kinds = {}
    # Unlike rglob, os.walk ignores a folder that Spark removes meanwhile.
    found = [Path(top, n) for top, folders, files in os.walk(folder) for n in (*folders, *files)]
    for path in [folder, *found]:
        try:
            mode = path.stat().st_mode
        except FileNotFoundError:
            continue  # Spark has removed it meanwhile
        kinds[path] = "folder" if stat.S_ISDIR(mode) else "file", oct(stat.S_IMODE(mode))
    return kinds


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_only_the_owner_can_read_the_files_of_a_run_and_of_spark_whatever_the_umask(
    sandbox: Sandbox, tmp_path: Path, umask: int
) -> None:
    settings = export(f"private_{umask:o}", partitions=6)
    chosen = project(tmp_path / "p", {"private": settings}, VIEW)
    local = tmp_path / "local"  # where Spark sorts; it is the user's own
    local.mkdir()
    storage = ["--storage", str(tmp_path / "made" / "here"), "--keep"]
    conf = ["--create-table", "--spark-conf", f"spark.local.dir={local}"]
    before = os.umask(umask)
    try:
        process = subprocess.Popen(
            [sys.executable, "-m", "loader", "load", *chosen.arguments, *storage, *conf],
            env=os.environ | sandbox.env(),
        )
    finally:
        os.umask(before)
    of_spark: dict[Path, tuple[str, str]] = {}
    while process.poll() is None:
        of_spark |= modes(local)
        time.sleep(0.02)  # as often as a file of Spark's lives

    assert process.returncode == 0
    made = modes(tmp_path / "made")
    assert set(made.values()) == {("folder", "0o700"), ("file", "0o600")}
    assert {path.name for path in made} >= {"spark.log", "plan.json", "report.json", "changes"}
    tops = {path: mode for path, mode in of_spark.items() if path.parent == local}
    assert set(tops.values()) == {("folder", "0o700")}
    assert any(path.name.startswith("blockmgr-") for path in tops)
