"""A table in another account: every process of a run assumes a role, again and again if it must."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from sandbox import Sandbox
from tests.support.projects import Project, export, project
from tests.support.relations import sixty_rows
from tests.support.sts import EXTERNAL_ID, ROLE, Sts, scripted_sts
from tests.support.tls_proxies import Fault, HttpProxy, Request, http_proxy

pytestmark = pytest.mark.integration

Run = Callable[..., Any]
VIEW = "analytics.items_elsewhere"
BY_ROLE = ["--dynamodb-role", ROLE, "--dynamodb-external-id", EXTERNAL_ID]


@pytest.fixture(scope="module", autouse=True)
def view(sandbox: Sandbox) -> None:
    sixty_rows(sandbox, VIEW)


@dataclass
class Account:
    """Another account: its STS, and its DynamoDB, which knows only the keys of that STS."""

    sts: Sts
    dynamodb: HttpProxy

    def targets(self) -> set[str]:
        return {request.target for request in self.dynamodb.requests}

    def sessions(self) -> set[str]:
        return {call.parameters["RoleSessionName"] for call in self.sts.calls}


def error(code: str) -> tuple[int, bytes]:
    kind = f"com.amazonaws.dynamodb.v20120810#{code}"
    return 400, json.dumps({"__type": kind, "message": "no"}).encode()


@contextmanager
def other_account(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, seconds: float, fault: Fault
) -> Iterator[Account]:
    """`seconds` is how long its credentials live; `fault` is for requests with a valid key."""
    with scripted_sts(seconds) as sts:

        def refused(request: Request) -> tuple[int, bytes | None] | None:
            if request.key_id not in sts.issued:
                return error("UnrecognizedClientException")
            return (
                fault(request) if sts.is_valid(request.key_id) else error("ExpiredTokenException")
            )

        with http_proxy(sandbox.settings.dynamodb_port, fault=refused) as proxy:
            address = f"http://127.0.0.1:{proxy.port}"
            monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", address)
            monkeypatch.setenv("AWS_ENDPOINT_URL_STS", sts.url)
            yield Account(sts, proxy)


@pytest.fixture
def account(
    sandbox: Sandbox, sandbox_env: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Account]:
    with other_account(sandbox, monkeypatch, 3600, lambda _: None) as account:
        yield account


def ran(run: Any, code: int = 0) -> str:
    assert run.code == code, run.err
    out: str = run.out
    return out


def plan_of(chosen: Project, name: str) -> dict[str, Any]:
    (file,) = Path(chosen.storage[1]).glob(f"{name}/runs/*/plan.json")
    document: dict[str, Any] = json.loads(file.read_text())
    return document


def test_every_command_reaches_the_table_by_the_role(
    loader: Run, items: Run, account: Account, tmp_path: Path
) -> None:
    settings = export("elsewhere", partitions=6, role_arn=ROLE, external_id=EXTERNAL_ID)
    chosen = project(tmp_path / "p", {"elsewhere": settings}, VIEW)
    project_dir, storage = chosen.arguments, chosen.storage

    ran(loader("plan", *project_dir, *storage, "--create-table"))
    plan = plan_of(chosen, "elsewhere")
    folder = str(Path(storage[1]) / "elsewhere" / "runs" / plan["run"])
    applied = json.loads(ran(loader("apply", folder, "--create-table", "--json")))
    shown = ran(loader("show", *project_dir, "elsewhere", "u1"))
    ran(loader("verify", *project_dir, *storage, "elsewhere"))
    ran(loader("state", "adopt", *project_dir, *storage, "elsewhere"))

    assert (plan["role_arn"], plan["external_id"]) == (ROLE, EXTERNAL_ID)
    assert (applied["put"], shown.splitlines()[0]) == (6, "user_id  u1")
    assert len(items("elsewhere")) == 6
    assert account.targets() > {"CreateTable", "BatchWriteItem", "Scan", "GetItem"}
    # Runs are named by their ids. All asked with their own credentials.
    names = account.sessions() - {"loader-show"}
    assert plan["run"] in names
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT[\d-]+Z-[0-9a-f]{4}", name) for name in names)
    assert {call.key_id for call in account.sts.calls} == {"sandbox"}


def test_a_plan_keeps_the_role_of_the_options_for_its_apply(
    loader: Run, account: Account, tmp_path: Path
) -> None:
    chosen = project(tmp_path / "p", {"by_option": export("by_option", partitions=6)}, VIEW)
    project_dir, storage = chosen.arguments, chosen.storage

    planned = ran(loader("plan", *project_dir, *storage, *BY_ROLE, "--create-table"))
    plan = plan_of(chosen, "by_option")
    folder = str(Path(storage[1]) / "by_option" / "runs" / plan["run"])
    without = loader("apply", folder, "--create-table", "--dynamodb-external-id", "another")
    # From here on they live for ten seconds, and DynamoDB refuses those that have expired.
    account.sts.seconds = 10
    report = json.loads(ran(loader("apply", folder, "--create-table", "--json")))

    assert f"loader apply {folder}" in planned
    assert (plan["settings"]["dynamodb_role"], plan["role_arn"]) == (ROLE, "")
    assert (without.code, "cannot assume role" in without.err) == (2, True)
    assert report["settings"]["dynamodb_role"] == ROLE
    assert report["put"] == 6
    assert len(account.sts.issued) > 5


def test_a_load_goes_on_when_dynamodb_says_that_the_credentials_of_the_role_have_expired(
    loader: Run,
    items: Run,
    sandbox: Sandbox,
    sandbox_env: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """The session is revoked when the first write arrives, long before the credentials expire."""
    revoked: list[float] = []
    chosen = project(tmp_path / "p", {"revoked": export("revoked", partitions=6)}, VIEW)

    def fault(request: Request) -> tuple[int, bytes | None] | None:
        if request.target != "BatchWriteItem":
            return None
        if not revoked:
            revoked.append(time.time())
        is_old = account.sts.issued[request.key_id] <= revoked[0]
        return error("ExpiredTokenException") if is_old else None

    with other_account(sandbox, monkeypatch, 3600, fault) as account:
        load = ["load", *chosen.arguments, *chosen.storage, "--create-table", "--json"]
        report = json.loads(ran(loader(*load, *BY_ROLE)))

    assert revoked
    assert report["retries"] > 0
    assert (report["put"], len(items("revoked"))) == (6, 6)


def test_a_role_that_cannot_be_assumed_is_refused_with_all_other_problems(
    loader: Run, account: Account, tmp_path: Path
) -> None:
    settings = export("refused", partitions=6, role_arn=ROLE, attributes=["no_such_column"])
    chosen = project(tmp_path / "p", {"refused": settings}, VIEW)

    run = loader("load", *chosen.arguments, *chosen.storage, "--create-table")

    assert (run.code, "Traceback" in run.err) == (2, False), run.err
    first, second = re.findall(r"^  \d  (.*)", run.err, re.MULTILINE)
    assert first == (
        f"cannot assume role {ROLE} with no external id for DynamoDB: An error occurred "
        "(AccessDenied) when calling the AssumeRole operation: User: "
        "arn:aws:iam::111111111111:user/loader is not "
        f"authorized to perform: sts:AssumeRole on resource: {ROLE}. Allow it to the identity of "
        "that message, with this external id, in the role's trust policy "
        "(docs/iam/trust-external-id.json), and grant it docs/iam/assume-role.json"
    )
    assert "no_such_column" in second
    assert account.dynamodb.requests == []
