"""No file, output, web page or process argument of a run has a secret."""

# ruff: noqa: S608  the names of relations in the SQL are constants of this file

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from sandbox import Sandbox
from sandbox.ports import free_ports
from sandbox.redshift.postgres import PostgreSQL
from tests.support.marked_processes import mark, wait_for_end
from tests.support.projects import Project, export, project
from tests.support.receivers import receiver
from tests.support.spark_pages import PAGES, spark_pages
from tests.support.sts import EXTERNAL_ID, ROLE, Sts, scripted_sts

pytestmark = pytest.mark.integration

Run = Callable[..., Any]
MARKER = "Marker"
SECRETS = {
    "REDSHIFT_PASSWORD": f"{MARKER}Passw0rd",
    "AWS_SECRET_ACCESS_KEY": f"{MARKER}SecretAccessKey",
    "AWS_SESSION_TOKEN": f"{MARKER}SessionToken",
}
READER = "marked_reader"
VIEW = "analytics.marked_items"


@pytest.fixture(scope="module", autouse=True)
def view(sandbox: Sandbox) -> None:
    """A slow view, one whose read fails, and the user that reads them."""
    with closing(sandbox.connect()) as owner, owner:
        owner.cursor().execute("create schema if not exists analytics")
    with closing(PostgreSQL(sandbox.settings).connect("dev")) as admin, admin:
        admin.cursor().execute(
            f"""
            drop view if exists {VIEW} cascade;
            create view {VIEW} as
            select 'u' || n % 6 as user_id, n % 6 as partition_id, 'i' || n as item_id,
                n as line_number, now()::timestamp as purchased_at
            from generate_series(1, 60) as n
            cross join (select pg_sleep(3)::text) as pause;
            -- Spark tries each of its queries four times.
            create or replace view analytics.broken_items as
            select 'u' || n % 6 as user_id, n % 6 as partition_id, 'i' || n as item_id,
                1 / (n - 60) as line_number, now()::timestamp as purchased_at
            from generate_series(1, 60) as n
            cross join (select pg_sleep(0.3)::text) as pause;
            drop role if exists {READER};
            """
        )
        admin.cursor().execute(
            f"create role {READER} login password %s", [SECRETS["REDSHIFT_PASSWORD"]]
        )
        admin.cursor().execute(
            f"grant usage on schema analytics to {READER};"
            f"grant select on all tables in schema analytics to {READER}"
        )


@pytest.fixture
def sts() -> Iterator[Sts]:
    with scripted_sts(mark=MARKER) as sts:
        yield sts


@pytest.fixture
def marked(sandbox: Sandbox, sts: Sts) -> dict[str, str]:
    """The environment of a run in which every secret has the marker."""
    own = {**os.environ, **sandbox.env(), **SECRETS}
    return {**own, "REDSHIFT_USER": READER, "AWS_ENDPOINT_URL_STS": sts.url}


@dataclass
class Seen:
    """The output of a run, the arguments of its processes, and the pages of Spark's UI."""

    code: int = 0
    out: str = ""
    err: str = ""
    arguments: set[bytes] = field(default_factory=set)
    pages: dict[str, str] = field(default_factory=dict)


def descendants(pid: int) -> Iterator[int]:
    yield pid
    try:
        texts = [task.read_text() for task in Path(f"/proc/{pid}/task").glob("*/children")]
    except OSError:
        return  # the process is gone
    for child in " ".join(texts).split():
        yield from descendants(int(child))


def command_line(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""  # the process is gone


def watched_run(chosen: Project, environment: dict[str, str], *options: str) -> Seen:
    (port,) = free_ports(1)
    events = chosen.folder / "events"
    (chosen.folder / "local").mkdir()
    events.mkdir()
    properties = {
        "spark.eventLog.enabled": "true",
        "spark.eventLog.dir": events.as_uri(),
        "spark.eventLog.compress": "false",
        "spark.ui.enabled": "true",
        "spark.ui.port": str(port),
        "spark.local.dir": str(chosen.folder / "local"),
        "spark.log.level": "INFO",
    }
    conf = [text for n, v in properties.items() for text in ("--spark-conf", f"{n}={v}")]
    command = [sys.executable, "-m", "loader", "load", *chosen.arguments, *chosen.storage]
    process = subprocess.Popen(
        [*command, "--debug", *conf, *options],
        env=environment | mark(str(chosen.folder)),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    seen = Seen()
    try:
        while process.poll() is None:
            seen.arguments |= {command_line(pid) for pid in descendants(process.pid)}
            if all("marked_items" in seen.pages.get(name, "") for name in ("SQL 0", "api SQL")):
                time.sleep(0.1)  # the pages were served while the query ran
            else:
                seen.pages |= spark_pages(f"http://127.0.0.1:{port}")
        seen.out, seen.err = process.communicate(timeout=60)
        wait_for_end(str(chosen.folder))
    finally:
        process.kill()
    seen.code = process.returncode
    return seen


def places_with_the_marker(chosen: Project, seen: Seen) -> list[str]:
    files = [path for path in chosen.folder.rglob("*") if path.is_file()]
    places = [str(path) for path in files if MARKER.encode() in path.read_bytes()]
    places += [name for name in ("out", "err") if MARKER in getattr(seen, name)]
    places += [f"page {name}" for name, text in seen.pages.items() if MARKER in text]
    places += [f"arguments {a!r}" for a in seen.arguments if MARKER.encode() in a]
    return places


def test_a_load_shows_no_secret(
    dynamodb: Any, marked: dict[str, str], sts: Sts, tmp_path: Path
) -> None:
    role = export("marked", partitions=6, role_arn=ROLE, external_id=EXTERNAL_ID)
    chosen = project(tmp_path / "p", {"marked": role}, VIEW)
    options = ["--create-table", "--keep", "--queries", "2", "--metrics", "emf", "--otel"]

    with receiver(404) as server:
        marked["LOADER_NOTIFY_URL"] = f"{server.url}/{MARKER}Webhook"
        marked["OTEL_EXPORTER_OTLP_ENDPOINT"] = f"{server.url}/{MARKER}Collector"
        marked["OTEL_EXPORTER_OTLP_HEADERS"] = f"api-key={MARKER}ApiKey"
        seen = watched_run(chosen, marked, *options, "--notify-on", "always")

    assert seen.code == 0, seen.err
    assert len(sts.issued) >= 2  # to the driver and to a worker
    # A webhook and a collector that refuse what they get, and say so.
    assert seen.err.count("cannot send the end of the run") == 3
    assert len(server.requests) == 3
    assert len(dynamodb.scan(TableName="marked")["Items"]) == 6
    # What was searched: pages with the query, an event log, the JVM's and the workers' arguments.
    assert set(seen.pages) >= {*PAGES, "SQL 0", "api environment", "api SQL"}
    assert "marked_items" in seen.pages["api SQL"]
    assert "marked_items" in seen.pages["SQL 0"]
    assert any(b"SparkSubmit" in arguments for arguments in seen.arguments)
    assert any(b"loader.worker_daemon" in arguments for arguments in seen.arguments)
    files = [path for path in chosen.folder.rglob("*") if path.is_file()]
    assert {p.name for p in files} >= {"spark.log", "plan.json", "report.json"}
    assert any("events" in str(path) and path.stat().st_size > 10_000 for path in files)
    assert places_with_the_marker(chosen, seen) == []


@pytest.mark.parametrize(
    ("changes", "relation", "code", "message"),
    [
        ({"REDSHIFT_PASSWORD": f"{MARKER}Wrong"}, VIEW, 2, "password authentication failed"),
        ({"REDSHIFT_PORT": "1"}, VIEW, 2, "Connection to 127.0.0.1:1 refused"),
        ({}, "analytics.broken_items", 1, "division by zero"),
        ({"AWS_ENDPOINT_URL_DYNAMODB": "http://127.0.0.1:1"}, VIEW, 2, "Could not connect"),
    ],
    ids=["wrong password", "refused connection", "broken read", "no table"],
)
def test_a_failed_run_shows_no_secret(
    marked: dict[str, str],
    dynamodb: Any,
    tmp_path: Path,
    changes: dict[str, str],
    relation: str,
    code: int,
    message: str,
) -> None:
    chosen = project(tmp_path / "p", {"marked": export("marked", partitions=6)}, relation)
    environment = {**marked, **changes, "AWS_MAX_ATTEMPTS": "1"}

    seen = watched_run(chosen, environment, "--create-table")

    assert (seen.code, message in seen.err, "Traceback" in seen.err) == (code, True, True), seen.err
    assert places_with_the_marker(chosen, seen) == []
