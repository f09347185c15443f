"""User and password of the warehouse while a run reads it: they are new when a read begins."""

# ruff: noqa: S608  the names of relations in the SQL are constants of this file

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

from sandbox import Sandbox
from sandbox.redshift.postgres import PostgreSQL
from tests.support.aws_server import Call, aws_server
from tests.support.projects import Project, export, project
from tests.support.relations import sixty_rows
from tests.support.sandboxes import held

pytestmark = pytest.mark.integration

Run = Callable[..., Any]
VIEW, LOCKED_VIEW = "analytics.signed_items", "analytics.locked_items"
USER, LOCK = "temporary_reader", 481516
CREDENTIALS = """<GetClusterCredentialsResponse><GetClusterCredentialsResult>
<DbUser>{user}</DbUser><DbPassword>{password}</DbPassword><Expiration>{expires}</Expiration>
</GetClusterCredentialsResult></GetClusterCredentialsResponse>"""
PROFILES = """
redshift_to_dynamodb:
  target: iam
  outputs:
    iam:
      type: redshift
      method: iam
      host: "{{ env_var('REDSHIFT_HOST') }}"
      port: "{{ env_var('REDSHIFT_PORT') | as_number }}"
      user: temporary_reader
      cluster_id: shop
      region: us-east-1
      dbname: "{{ env_var('REDSHIFT_DATABASE') }}"
      schema: analytics
      sslmode: disable
"""


def execute(sandbox: Sandbox, sql: str) -> list[tuple[Any, ...]]:
    with closing(PostgreSQL(sandbox.settings).connect("dev")) as admin, admin:
        cursor = admin.cursor()
        cursor.execute(sql)
        return cursor.fetchall() if cursor.description else []


@pytest.fixture(scope="module", autouse=True)
def views(sandbox: Sandbox) -> None:
    sixty_rows(sandbox, VIEW)
    execute(
        sandbox,
        f"""
        create or replace view {LOCKED_VIEW} as
        select 'u' || n as user_id, n as partition_id, 'i' as item_id, 1 as line_number,
            now()::timestamp as purchased_at
        from generate_series(0, 8) as n
        cross join (select pg_advisory_xact_lock_shared({LOCK})::text as locked offset 0) as l
        where locked is not null;
        drop role if exists {USER};
        create role {USER} login password 'none';
        grant usage on schema analytics to {USER};
        grant select on all tables in schema analytics to {USER};
        """,
    )


@dataclass
class Iam:
    """Redshift's API: each call gives another password, and the one before is valid no more."""

    sandbox: Sandbox
    passwords: list[str] = field(default_factory=list)

    def answer(self, call: Call) -> tuple[int, str]:
        assert call.action == "GetClusterCredentials"
        password = f"temporary-{len(self.passwords)}"
        self.set(password)
        self.passwords.append(password)
        # They are old at once.
        expires = datetime.now(timezone.utc).isoformat()
        return 200, CREDENTIALS.format(user=USER, password=password, expires=expires)

    def set(self, password: str) -> None:
        execute(self.sandbox, f"alter role {USER} password '{password}'")


@pytest.fixture
def iam(
    sandbox: Sandbox, sandbox_env: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Iam]:
    iam = Iam(sandbox)
    with aws_server(iam.answer) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL_REDSHIFT", server.url)
        yield iam


def signed(folder: Path, name: str, relation: str, partitions: int = 6) -> Project:
    settings = export(name, partitions=partitions)
    return project(folder, {name: settings}, relation, PROFILES)


def test_each_count_and_each_read_begins_with_new_credentials(
    loader: Run, iam: Iam, tmp_path: Path
) -> None:
    chosen = signed(tmp_path / "p", "signed", VIEW)
    options = [*chosen.arguments, *chosen.storage, "--create-table", "--json"]

    first, second = (loader(command, *options) for command in ("load", "plan"))

    assert (first.code, second.code) == (0, 0), first.err + second.err
    assert [json.loads(run.out)["rows"] for run in (first, second)] == [60, 60]
    assert len(iam.passwords) >= 10
    shown = (
        first.out
        + first.err
        + "".join(
            path.read_text(errors="replace") for path in chosen.folder.rglob("*") if path.is_file()
        )
    )
    assert "temporary-" not in shown


def test_a_query_that_begins_after_the_credentials_expired_says_so_and_one_before_goes_on(
    loader: Run, iam: Iam, sandbox: Sandbox, tmp_path: Path
) -> None:
    """Eight queries wait for a lock while their password becomes invalid; the ninth begins then."""
    chosen = signed(tmp_path / "p", "late", LOCKED_VIEW, partitions=9)
    # Eight task slots, and the count.
    with held(sandbox, LOCK, 9, lambda: iam.set("of the next hour")):
        run = loader("plan", *chosen.arguments, *chosen.storage, "--create-table", "--queries", "9")

    assert run.code == 1, run.err
    times = r"\d\d:\d\d:\d\d UTC"
    assert re.search(
        r"cannot read partition 8 of analytics\.locked_items from 127\.0\.0\.1:\d+/dev for export "
        rf'late: FATAL: password authentication failed for user "{USER}": the temporary '
        rf"credentials of {times} expired at {times}, and a query or the retry of a task began "
        r"after that\. Nothing was written: give --queries that all run at the same time, or sign "
        r"in with a password or --secret, then load again",
        run.err,
    ), run.err


def test_user_and_password_are_those_of_a_secret_also_if_it_was_rotated_since_it_was_read(
    loader: Run,
    sandbox: Sandbox,
    sandbox_env: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    known = {"engine": "redshift", "host": "ignored.example", "username": USER}
    passwords = iter(["of yesterday", "kept"])

    def answer(call: Call) -> tuple[int, str]:
        secret = json.dumps({**known, "password": next(passwords)})
        return 200, json.dumps({"SecretString": secret})

    execute(sandbox, f"alter role {USER} password 'kept'")
    profiles = re.sub("method: iam|cluster_id: .*|region: .*", "", PROFILES).replace(
        "user: temporary_reader", "user: \"{{ env_var('NO_USER') }}\""
    )
    settings = export("of_secret", partitions=6)
    chosen = project(tmp_path / "p", {"of_secret": settings}, VIEW, profiles)
    with aws_server(answer) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL_SECRETS_MANAGER", server.url)
        load = ["load", *chosen.arguments, *chosen.storage, "--create-table", "--json"]
        run = loader(*load, "--secret", "shop/loader")
        without = loader(*load)

    assert run.code == 0, run.err
    report = json.loads(run.out)
    assert (report["put"], report["settings"]["secret"]) == (6, "shop/loader")
    assert (without.code, "NO_USER" in without.err) == (2, True)
    assert [call.parameters for call in server.calls] == [{"SecretId": "shop/loader"}] * 2
