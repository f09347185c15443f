"""Loads that are refused before the first write, each with its whole message."""

# ruff: noqa: S608  the names of relations in the SQL are constants of this file

from __future__ import annotations

import json
import os
import re
import shlex
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from loader.report.status import statuses
from loader.settings import Settings
from sandbox import Sandbox
from tests.support.dynamodb_faults import dead
from tests.support.fault_proxies import DynamoDBProxy
from tests.support.manifests import MODEL, results
from tests.support.projects import PROFILES, Project, export, project
from tests.support.sandboxes import execute
from tests.support.tables import create_table

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

pytestmark = pytest.mark.integration

Run = Callable[..., Any]
VIEW = "analytics.refused_items"


@pytest.fixture(scope="module", autouse=True)
def view(sandbox: Sandbox) -> None:
    """60 rows of 6 users in 30 partitions, with a column of every wrong type."""
    execute(
        sandbox,
        f"""
        create schema if not exists analytics;
        drop table if exists {VIEW} cascade;
        create table {VIEW} as
        select 'u' || n % 6 as user_id, n % 6 as partition_id, 'i' || n as item_id,
            n as line_number, now()::timestamp as purchased_at, n::text as text_partition,
            99 + (n - 1) % 6 + 1 as far_partition, nullif(n % 6, 3) as some_partition,
            n * 1.5::float8 as price, (1::bigint << 32) + n % 6 as wide_partition
        from generate_series(1, 60) as n
        """,
    )


@pytest.fixture
def tables(dynamodb: DynamoDBClient) -> Callable[..., str]:
    """Make a table with a key, once."""

    def make(name: str, key: str = "user_id", letter: Any = "S") -> str:
        pages = dynamodb.get_paginator("list_tables").paginate()
        if not any(name in page["TableNames"] for page in pages):
            create_table(dynamodb, name, {key: letter})
        return name

    return make


def refusal(subject: str, *problems: str) -> str:
    count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
    lines = [f"  {number}  {problem}" for number, problem in enumerate(problems, 1)]
    return "\n".join([f"{count} with {subject}, nothing was written", *lines, ""])


def load(loader: Run, chosen: Project, *options: str) -> Any:
    return loader("load", *chosen.arguments, *chosen.storage, *options)


COLUMNS = (
    "user_id, partition_id, item_id, line_number, purchased_at, text_partition, far_partition, "
    "some_partition, price, wide_partition"
)


@pytest.mark.parametrize(
    ("changes", "problems"),
    [
        (
            {"key": "customer"},
            [
                f"column customer must be in {VIEW}, got the columns {COLUMNS}: "
                "correct the exposure or the model"
            ],
        ),
        (
            {
                "partition_column": "part",
                "collect": {"items": {"column": "item", "order_by": ["bought_at"]}},
            },
            [
                f"column {name} must be in {VIEW}, got the columns {COLUMNS}: "
                "correct the exposure or the model"
                for name in ("part", "item", "bought_at")
            ],
        ),
        (
            {"partition_column": "text_partition"},
            [
                f"column text_partition of {VIEW} must be an integer, got string: "
                "use the macro partition_column()"
            ],
        ),
        (
            {"key": "price"},
            [
                f"column price of {VIEW} must be a string, integer, decimal, date, timestamp or "
                "binary to be a key, got double: cast it in the model"
            ],
        ),
    ],
)
def test_a_view_without_a_column_of_the_export_is_refused(
    loader: Run, tables: Run, tmp_path: Path, changes: dict[str, Any], problems: list[str]
) -> None:
    chosen = project(tmp_path, {"refused": export(tables("refused"), **changes)}, VIEW)

    run = load(loader, chosen)

    assert (run.code, run.out, run.err) == (2, "", refusal("export refused", *problems))


def test_a_missing_view_is_refused_with_the_command_that_builds_it(
    loader: Run, tables: Run, tmp_path: Path, sandbox: Sandbox
) -> None:
    chosen = project(tmp_path, {"refused": export(tables("refused"))}, "analytics.no_such_view")

    run = load(loader, chosen)

    assert (run.code, run.err) == (
        2,
        refusal(
            "export refused",
            "view analytics.no_such_view must exist in 127.0.0.1:"
            f"{sandbox.settings.redshift_port}/dev, got none (ERROR: relation "
            '"analytics.no_such_view" does not exist): '
            "run `dbt build --select no_such_view` with the same target",
        ),
    )


def out_of_range(column: str, value: object, user: int) -> str:
    return (
        f"partition column {column} must be 0 to 29, got {value} for key "
        f'{{"user_id":{{"S":"u{user}"}}}}: build the model with the macro partition_column() and '
        "the exposure's number of partitions"
    )


@pytest.mark.parametrize(
    ("column", "problem"),
    [
        ("far_partition", out_of_range("far_partition", "100 to 105 (6 values), 100", 1)),
        ("some_partition", out_of_range("some_partition", "NULL", 3)),
    ],
)
def test_a_partition_out_of_range_is_refused(
    loader: Run, tables: Run, items: Run, tmp_path: Path, column: str, problem: str
) -> None:
    settings = export(tables("refused"), partition_column=column)
    chosen = project(tmp_path, {"refused": settings}, VIEW)

    run = load(loader, chosen)

    assert (run.code, run.out) == (2, "")
    assert run.err.endswith(refusal("export refused", problem))
    assert items("refused") == []


def test_a_partition_larger_than_an_int_is_out_of_range_and_does_not_wrap_into_it(
    loader: Run, tables: Run, items: Run, tmp_path: Path
) -> None:
    settings = export(tables("refused"), partition_column="wide_partition")
    chosen = project(tmp_path, {"refused": settings}, VIEW)

    run = load(loader, chosen)

    assert (run.code, run.out) == (2, "")
    assert run.err.splitlines()[-1].startswith(
        "  1  partition column wide_partition must be 0 to 29, got 2147483647 for key "
    )
    assert items("refused") == []


def assert_left_is_the_record(folder: Path, problem: str) -> None:
    """The folder of an export has only the record of its failed run, which `status` shows."""
    (run,) = (folder / "runs").iterdir()
    assert [path.name for path in run.iterdir()] == ["not_written.json"]
    (status,) = statuses(Settings(storage=str(folder.parent)))
    assert (status.is_good, [(run.outcome, run.note) for run in status.runs]) == (
        False,
        [("FAILED", problem)],
    )


def test_a_key_in_two_partitions_fails_before_anything_is_written(
    loader: Run, execute: Run, tables: Run, items: Run, tmp_path: Path
) -> None:
    execute("drop table if exists analytics.two_partitions")
    execute(
        "create table analytics.two_partitions as select 'u' || n % 6 as user_id, "
        "n % 12 as partition_id, 'i' as item_id, n as line_number, "
        "now()::timestamp as purchased_at from generate_series(1, 60) as n"
    )
    settings = export(tables("refused"))
    chosen = project(tmp_path, {"refused": settings}, "analytics.two_partitions")

    run = load(loader, chosen)

    assert (run.code, run.out, run.err.splitlines()[-1]) == (
        1,
        "",
        "refused: items made from analytics.two_partitions must equal the 6 keys that the "
        "warehouse counted, got 12: a key is in two partitions, or the source changed during the "
        "read; test the model with key_in_one_partition; nothing was written",
    )
    assert items("refused") == []
    assert_left_is_the_record(tmp_path / "runs" / "refused", run.err.splitlines()[-1])


def test_an_index_whose_key_has_another_type_is_refused(
    loader: Run, dynamodb: DynamoDBClient, tmp_path: Path
) -> None:
    keys = {"user_id": "S", "line_number": "S", "items": "S"}
    dynamodb.create_table(
        TableName="wrong_index",
        KeySchema=[{"AttributeName": "user_id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": n, "AttributeType": t} for n, t in keys.items()],
        BillingMode="PAY_PER_REQUEST",
        GlobalSecondaryIndexes=[
            {
                "IndexName": f"by_{name}",
                "KeySchema": [{"AttributeName": name, "KeyType": "HASH"}],
                "Projection": {"ProjectionType": "KEYS_ONLY"},
            }
            for name in ("line_number", "items")
        ],
    )
    settings = export("wrong_index", attributes=["line_number"])
    chosen = project(tmp_path, {"refused": settings}, VIEW)

    run = load(loader, chosen)

    assert (run.code, run.err) == (
        2,
        refusal(
            "export refused",
            *(
                f"attribute {name} must be S as key of index by_{name} of table wrong_index, "
                f"got {letter}: cast the column in the model, or drop the index"
                for name, letter in (("line_number", "N"), ("items", "L"))
            ),
        ),
    )


def with_a_test(chosen: Project, invocation: str = "one", status: str = "") -> None:
    """Give the project one dbt test, and a built model; a status says how the test ended."""
    target = chosen.folder / "target"
    manifest = json.loads((target / "manifest.json").read_text())
    manifest["nodes"]["test.test.not_null_one_user_id.1a"] = {"depends_on": {"nodes": [MODEL]}}
    (target / "manifest.json").write_text(json.dumps(manifest))
    of_build = results()
    of_build["metadata"]["invocation_id"] = invocation
    of_build["results"].append({"unique_id": "test.test.not_null_one_user_id.1a", "status": status})
    (target / "run_results.json").unlink()
    if status:
        (target / "run_results.json").write_text(json.dumps(of_build))


def gated(chosen: Project, failure: str) -> str:
    folder = chosen.folder
    return (
        f"dbt must have built and tested export refused, got {failure}: run `dbt build "
        f"--project-dir {folder} --profiles-dir {folder} --select +exposure:refused`, "
        "or load with --skip-dbt-gate"
    )


@pytest.mark.parametrize("command", ["plan", "load"])
@pytest.mark.parametrize(
    ("invocation", "status", "failure"),
    [
        ("one", "", "no run_results.json next to the manifest"),
        ("two", "pass", "results and a manifest of different dbt commands"),
        ("one", "fail", "1 of 1 tests that did not pass (not_null_one_user_id fail)"),
    ],
)
def test_dbt_tests_that_did_not_pass_are_refused(
    loader: Run,
    tables: Run,
    items: Run,
    tmp_path: Path,
    command: str,
    invocation: str,
    status: str,
    failure: str,
) -> None:
    chosen = project(tmp_path, {"refused": export(tables("refused"))}, VIEW)
    with_a_test(chosen, invocation, status)

    run = loader(command, *chosen.arguments, *chosen.storage)

    assert (run.code, run.out) == (2, "")
    assert run.err == refusal("export refused", gated(chosen, failure))
    assert items("refused") == []


def test_the_plan_shows_that_dbt_tests_are_skipped(
    loader: Run, tables: Run, tmp_path: Path
) -> None:
    chosen = project(tmp_path, {"refused": export(tables("refused"))}, VIEW)
    with_a_test(chosen, status="fail")
    places = [*chosen.arguments, *chosen.storage]

    shown = loader("plan", *places, "--skip-dbt-gate")
    planned = loader("plan", *places, "--skip-dbt-gate", "--json")

    failure = "1 of 1 tests that did not pass (not_null_one_user_id fail)"
    gate = {
        "tests": 1,
        "passed": 0,
        "warned": 0,
        "finished": "2026-11-24T22:22:58.6Z",
        "problem": gated(chosen, failure),
        "skipped": True,
        "note": "",
        "invocation": "one",
    }
    facts = json.loads(planned.out)
    assert (shown.code, planned.code) == (0, 0)
    assert shown.out.splitlines()[1:3] == [
        "  checks     warehouse ok · table ok · dbt gate SKIPPED",
        f"  note       dbt must have built and tested export refused, got {failure}",
    ]
    assert facts["dbt_gate"] == gate
    assert json.loads(Path(facts["folder"], "plan.json").read_text())["dbt_gate"] == gate


def test_a_storage_that_cannot_be_written_is_refused(
    loader: Run, tables: Run, tmp_path: Path
) -> None:
    chosen = project(tmp_path / "project", {"refused": export(tables("refused"))}, VIEW)
    (tmp_path / "file").touch()

    run = loader("load", *chosen.arguments, "--storage", str(tmp_path / "file"))

    assert (run.code, run.err) == (
        2,
        refusal(
            "export refused",
            f"cannot write to --storage {tmp_path}/file: File exists. Check its owner, its mode "
            "and the free space, or choose another --storage",
        ),
    )


@pytest.mark.parametrize(
    ("setting", "value", "failure"),
    [
        (
            "REDSHIFT_PASSWORD",
            "wrong-password",
            "cannot read from 127.0.0.1:{port}/dev as user loader_dev: FATAL: password "
            'authentication failed for user "loader_dev"',
        ),
        (
            "REDSHIFT_USER",
            "nobody",
            "cannot read from 127.0.0.1:{port}/dev as user nobody: FATAL: password "
            'authentication failed for user "nobody"',
        ),
        (
            "REDSHIFT_PORT",
            "1",
            "cannot read from 127.0.0.1:1/dev as user loader_dev: Connection to "
            "127.0.0.1:1 refused. Check that the hostname and port are correct and that the "
            "postmaster is accepting TCP/IP connections. (ConnectException: Connection refused)",
        ),
        (
            "REDSHIFT_HOST",
            "warehouse.invalid",
            "cannot read from warehouse.invalid:{port}/dev as user loader_dev: "
            "The connection attempt failed. (UnknownHostException: warehouse.invalid)",
        ),
    ],
)
def test_a_warehouse_that_cannot_be_reached_is_refused_with_its_reason(
    loader: Run,
    tables: Run,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    sandbox: Sandbox,
    setting: str,
    value: str,
    failure: str,
) -> None:
    chosen = project(tmp_path, {"refused": export(tables("refused"))}, VIEW)
    monkeypatch.setenv(setting, value)

    run = load(loader, chosen)

    assert (run.code, run.out) == (2, "")
    remedy = (
        "Check user and password of the dbt target, and that the user may log in"
        if setting in ("REDSHIFT_USER", "REDSHIFT_PASSWORD")
        else "Check host and port of the dbt target, the network, and that the warehouse runs"
    )
    problem = f"{failure.format(port=sandbox.settings.redshift_port)}. {remedy}"
    warning = (
        f"warning: warehouse {value}:{sandbox.settings.redshift_port}/dev is read over plain text "
        "because the dbt profile sets sslmode disable: use verify-full to protect the password "
        "and the rows\n"
    )
    warned = warning if setting == "REDSHIFT_HOST" else ""
    assert run.err == warned + refusal("export refused", problem)


def test_a_model_in_another_database_than_the_targets_is_refused(
    loader: Run, tables: Run, tmp_path: Path, monkeypatch: Any
) -> None:
    chosen = project(tmp_path, {"refused": export(tables("refused"))}, VIEW)
    monkeypatch.setenv("REDSHIFT_DATABASE", "other")

    run = load(loader, chosen)

    assert (run.code, run.err) == (
        2,
        refusal(
            "export refused",
            "refused_items must be in the database of the dbt target, got dev instead of other: "
            "choose a target of dev, or build a model in other that reads it",
        ),
    )


@pytest.mark.parametrize(("key", "letter"), [("customer_id", "S"), ("user_id", "N")])
def test_a_table_with_another_key_is_refused(
    loader: Run, tables: Run, tmp_path: Path, key: str, letter: str
) -> None:
    table = tables(f"by_{key}_{letter}", key, letter)
    chosen = project(tmp_path, {"refused": export(table)}, VIEW)

    run = load(loader, chosen)

    assert (run.code, run.err) == (
        2,
        refusal(
            "export refused",
            f"table {table} must have the key user_id (S), got {key} ({letter}): name it in the "
            "exposure's key, cast it in the model, or create another table",
        ),
    )


def test_all_problems_of_all_exports_are_reported_at_once(
    loader: Run, tables: Run, tmp_path: Path
) -> None:
    exports = {
        "one": export("no_such_table", partition_column="text_partition"),
        "two": export(tables("by_customer_id_S", "customer_id"), attributes=["colour"]),
    }
    chosen = project(tmp_path, exports, VIEW)

    with socket.create_server(("127.0.0.1", 0)) as busy:
        port = busy.getsockname()[1]
        run = load(loader, chosen, "--pace-port", str(port))

    assert (run.code, run.err) == (
        2,
        refusal(
            "exports one, two",
            "table no_such_table must exist, got none: "
            "create it, or let the loader do so with --create-table",
            f"cannot listen for tasks at localhost, port {port}: [Errno 98] Address already in use "
            f"(while attempting to bind on address ('localhost', {port})). Choose a free port with "
            "--pace-port, and an address of the driver in spark.driver.bindAddress",
            f"column text_partition of {VIEW} must be an integer, got string: "
            "use the macro partition_column()",
            f"column colour must be in {VIEW}, got the columns {COLUMNS}: "
            "correct the exposure or the model",
        ),
    )


def test_all_problems_before_the_first_write_are_reported_at_once(
    loader: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Profile, storage, dbt's tests and the table, though there is no warehouse to ask."""
    chosen = project(tmp_path / "project", {"refused": export("no_such_table")}, VIEW)
    with_a_test(chosen)
    (tmp_path / "file").touch()

    run = loader(
        "load", *chosen.arguments, "--storage", str(tmp_path / "file"), "--target", "nowhere"
    )

    numbered = [line[:60] for line in run.err.splitlines()]
    assert run.code == 2
    assert numbered == [
        "4 problems with export refused, nothing was written",
        f"  1  cannot read the dbt profile in {chosen.folder}"[:60],
        f"  2  cannot write to --storage {tmp_path / 'file'}"[:60],
        "  3  dbt must have built and tested export refused, got no r",
        "  4  table no_such_table must exist, got none: create it, or",
    ]


def test_an_endpoint_that_does_not_answer_is_refused(
    loader: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = project(tmp_path, {"refused": export("refused")}, VIEW)
    monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")

    run = load(loader, chosen)

    assert (run.code, run.err) == (
        2,
        refusal(
            "export refused",
            "cannot describe table refused in us-east-1 at http://127.0.0.1:1: Could not connect "
            'to the endpoint URL: "http://127.0.0.1:1/". Check the route to DynamoDB, HTTPS_PROXY, '
            "NO_PROXY, Region and AWS_ENDPOINT_URL_DYNAMODB",
        ),
    )


def test_a_missing_bucket_is_refused(loader: Run, tables: Run, tmp_path: Path) -> None:
    chosen = project(tmp_path, {"refused": export(tables("refused"))}, VIEW)

    run = loader("load", *chosen.arguments, "--storage", "s3://no-such-bucket/runs")

    assert (run.code, run.err) == (
        2,
        refusal(
            "export refused",
            "cannot write to --storage s3://no-such-bucket/runs: NoSuchBucket: The specified "
            "bucket does not exist. Create the bucket, or correct --storage and "
            "AWS_ENDPOINT_URL_S3",
        ),
    )


def test_a_profile_without_its_variable_is_refused(
    loader: Run, tables: Run, tmp_path: Path
) -> None:
    chosen = project(tmp_path, {"refused": export(tables("refused"))}, VIEW)
    chosen.folder.joinpath("profiles.yml").write_text(
        PROFILES.read_text().replace("'REDSHIFT_HOST', '127.0.0.1'", "'NO_SUCH_VARIABLE'")
    )

    run = load(loader, chosen)

    assert (run.code, run.err) == (
        2,
        refusal(
            "export refused",
            f"cannot read the dbt profile in {tmp_path}: Parsing Error Env var required but "
            "not provided: 'NO_SUCH_VARIABLE'. Check profiles.yml, the target, --vars and the "
            "environment variables it names (sandbox: `python -m sandbox env`)",
        ),
    )


def test_an_unknown_target_is_refused(loader: Run, tables: Run, tmp_path: Path) -> None:
    chosen = project(tmp_path, {"refused": export(tables("refused"))}, VIEW)

    run = load(loader, chosen, "--target", "nowhere")

    assert (run.code, run.err) == (
        2,
        refusal(
            "export refused",
            f"cannot read the dbt profile in {tmp_path}: Runtime Error The profile "
            "'redshift_to_dynamodb' does not have a target named 'nowhere'. The valid target names "
            "for this profile are: - sandbox - dev_iam - dev - prod_iam - prod. Check "
            "profiles.yml, the target, --vars and the environment variables it names (sandbox: "
            "`python -m sandbox env`)",
        ),
    )


def command(
    sandbox: Sandbox, chosen: Project, *options: str, environment: Mapping[str, str] | None = None
) -> subprocess.Popen[str]:
    """The loader as a process of its own, for what must not happen to the tests' Spark."""
    return subprocess.Popen(
        [sys.executable, "-m", "loader", "load", *chosen.arguments, *chosen.storage, *options],
        env=os.environ | sandbox.env() | dict(environment or {}),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def until(condition: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 120
    while not condition():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_nothing_is_written_if_the_warehouse_dies_during_the_plan(
    sandbox: Sandbox, execute: Run, items: Run, tables: Run, tmp_path: Path
) -> None:
    execute("drop view if exists analytics.endless_items")
    execute(
        f"create view analytics.endless_items as select {VIEW.split('.')[1]}.* from {VIEW} "
        "cross join (select pg_sleep(600)::text) as pause"
    )
    settings = export(tables("endless"))
    chosen = project(tmp_path, {"endless": settings}, "analytics.endless_items")

    process = command(sandbox, chosen, "--queries", "4")
    try:
        until(
            lambda: any(
                "export=endless" in s.text
                and 'WHERE "partition_id"' in s.text
                and s.finished_at is None
                for s in sandbox.statements()
            ),
            process,
        )
        sandbox.kill("postgres")
        out, err = process.communicate(timeout=120)
    finally:
        process.kill()
        sandbox.up()

    assert (process.returncode, out) == (1, ""), err
    assert re.fullmatch(
        r"cannot read partitions \d+ to \d+ of analytics.endless_items from "
        rf"127.0.0.1:{sandbox.settings.redshift_port}/dev for export endless: .+\. "
        r"Nothing was written: fix the cause, load again",
        err.splitlines()[-1],
    )
    assert items("endless") == []
    assert_left_is_the_record(tmp_path / "runs" / "endless", err.splitlines()[-1])


def test_the_command_of_the_report_completes_a_load_whose_table_died(
    loader: Run, sandbox: Sandbox, execute: Run, items: Run, tmp_path: Path
) -> None:
    users = 10_000
    execute("drop table if exists analytics.many_items")
    execute(
        "create table analytics.many_items as select 'u' || n as user_id, n % 30 as partition_id, "
        "'i' as item_id, n as line_number, now()::timestamp as purchased_at "
        f"from generate_series(1, {users}) as n"
    )
    chosen = project(tmp_path, {"many": export("many")}, "analytics.many_items")

    with DynamoDBProxy(sandbox.settings.dynamodb_port, dead) as proxy:
        options = ["--create-table", "--requests", "1", "--retry-seconds", "2"]
        endpoint = {"AWS_ENDPOINT_URL_DYNAMODB": f"http://127.0.0.1:{proxy.port}"}
        process = command(sandbox, chosen, *options, environment=endpoint)
        out, err = process.communicate(timeout=120)

    assert process.returncode == 1, err
    lines = out.splitlines()
    assert "INCOMPLETE" in out, (out, err)
    [changes] = [line.replace(",", "") for line in lines if line.startswith("  changes ")]
    total, put, not_sent = map(int, re.findall(r"\d+(?= =| put| not)", changes))
    assert (total, put + not_sent) == (users, users)
    assert 0 < not_sent < users
    not_sent = r"  not sent   [\d,]+ of [\d,]+ partitions: the table acknowledged nothing for"
    assert [line for line in lines if re.match(not_sent, line)]
    step, words = lines[-1].split(":  ")
    assert (step, shlex.split(words)) == (
        "Continue with",
        ["loader", "resume", "many", *chosen.storage],
    )
    before = len(sandbox.statements())

    again = loader(*shlex.split(words)[1:])

    assert again.code == 0, again.err
    assert sandbox.statements()[before:] == []
    assert len(items("many")) == users


@pytest.mark.parametrize("command", ["plan", "load"])
def test_an_export_whose_table_another_export_of_the_project_writes_is_refused_also_alone(
    loader: Run, tables: Callable[..., str], dynamodb: DynamoDBClient, tmp_path: Path, command: str
) -> None:
    table = tables("refused_shared")
    arn = dynamodb.describe_table(TableName=table)["Table"]["TableArn"]
    elsewhere = arn.replace(":000000000000:", ":111111111111:")
    exports = {"one": export(table), "two": export(table)}
    by_arn = {"one": export(table), "arn": export(arn), "other": export(elsewhere)}

    runs = []
    for number, declared in enumerate((exports, by_arn)):
        chosen = project(tmp_path / str(number), declared, VIEW)
        runs.append(loader(command, *chosen.arguments, *chosen.storage, "--export", "one"))

    remedy = "give each export a different table, or disable all but one"
    rule = f"table {table} must be written by one export, got one and"
    assert [(run.code, run.err) for run in runs] == [
        (2, refusal("the run", f"{rule} two: {remedy}")),
        (2, refusal("export one", f"{rule} arn ({arn}): {remedy}")),
    ]
