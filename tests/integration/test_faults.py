"""Some cases of the fault matrix, and the list of rejects, against real servers.

`make faults` runs all faults with three seeds (tests/faults).
"""

from __future__ import annotations

import json
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
import pytest
from pyspark.sql import SparkSession

from sandbox import Sandbox
from tests.faults.matrix import CASES, judge
from tests.faults.world import World
from tests.support.projects import Project, export, project

pytestmark = pytest.mark.integration

Run = Callable[..., Any]
QUICK = {
    (case.step, case.fault): case
    for case in CASES
    if case.fault
    in {
        "connection_always_dropped",
        "query_failed",
        "unprocessed",
        "conflict",
        "reset_after_write",
        "access_denied",
        "invalid_item",
    }
}


@pytest.fixture(scope="module")
def world(sandbox: Sandbox, spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> World:
    return World(sandbox, tmp_path_factory.mktemp("faults"))


@pytest.mark.parametrize(
    ("step", "fault", "code"),
    [
        ("plan", "connection_always_dropped", 1),
        ("plan", "query_failed", 0),
        ("apply", "unprocessed", 0),
        ("apply", "conflict", 0),
        ("apply", "reset_after_write", 0),
    ],
)
def test_after_a_fault_each_missing_key_is_named_and_a_second_run_completes_the_load(
    world: World, step: str, fault: str, code: int
) -> None:
    result = QUICK[step, fault].play(world, seed=11)

    assert result.green, result
    assert result.exit_code == code


@pytest.mark.parametrize(
    ("fault", "kinds"), [("access_denied", {"not_sent"}), ("invalid_item", {"rejected"})]
)
def test_the_list_names_exactly_the_keys_that_are_wrong_in_the_table(
    world: World, fault: str, kinds: set[str]
) -> None:
    place = world.place(f"exact_{fault}")
    before = place.items()

    outcome, struck = QUICK["apply", fault].run(place, 11)

    items = place.items()
    wrong = {key for key in {*world.truth, *items} if items.get(key) != world.truth.get(key)}
    folder = place.run_folder()
    assert folder
    lines = [json.loads(line) for line in (folder / "rejects.jsonl").read_text().splitlines()]
    assert (outcome.code, struck) == (1, True)
    assert judge(place, outcome, before) == (0, 0, len(wrong))
    assert sorted(line["key"]["user_id"]["S"] for line in lines) == sorted(wrong)
    assert {line["kind"] for line in lines} == kinds
    assert f"  list       {folder}/rejects.jsonl" in outcome.out.splitlines()


@pytest.fixture
def rejected(tmp_path: Path, execute: Run) -> Project:
    """20 users of 2 rows; one has a NULL in its set, and 3 rows have no key."""
    execute("create schema if not exists analytics")
    execute("drop table if exists analytics.rejected_items")
    execute(
        "create table analytics.rejected_items as select case when n > 40 then null "
        "else 'u' || n % 20 end as user_id, n % 5 as partition_id, "
        "case when n = 7 then null else 'i' || n end as item_id from generate_series(1, 43) as n"
    )
    collect = {"items": {"column": "item_id", "as": "set"}}
    settings = export("rejected_items", partitions=5, collect=collect)
    return project(tmp_path, {"rejected": settings}, "analytics.rejected_items")


def by_partition(line: dict[str, Any]) -> int:
    return int(line["partition"])


def test_all_rejects_are_listed_and_a_run_with_more_than_allowed_is_incomplete(
    loader: Run, items: Run, rejected: Project
) -> None:
    load = ["load", *rejected.arguments, *rejected.storage, "--create-table", "--json"]

    too_many = loader(*load, "--max-rejects", "3")
    allowed = loader(*load, "--max-rejects", "4")
    planned = loader("plan", *load[1:])

    assert (too_many.code, allowed.code, planned.code) == (1, 0, 1)
    assert len(items("rejected_items")) == 19
    for run in (too_many, allowed, planned):
        summary = json.loads(run.out)
        file = Path(summary["folder"]) / "rejects.jsonl"
        lines = sorted(map(json.loads, file.read_text().splitlines()), key=by_partition)
        head = {"kind": "rejected", "run": summary["run"], "export": "rejected"}
        no_key = "key column user_id must not be NULL, got NULL"
        none = {"key": None, "rows": 1, "reason": no_key}
        assert lines == [
            *({**head, "partition": partition, **none} for partition in (1, 2)),
            {
                **head,
                "partition": 2,
                "key": {"user_id": {"S": "u7"}},
                "rows": 2,
                "reason": "column item_id must not be NULL in a set, got NULL",
                "item": {"user_id": {"S": "u7"}, "items": {"SS": ["i27"]}},
            },
            {**head, "partition": 3, **none},
        ]
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    report = json.loads(allowed.out)
    assert (report["complete"], report["max_rejects"]) == (True, 4)
    assert sorted(path.name for path in Path(report["folder"]).iterdir()) == [
        "committed.json",
        "plan.json",
        "rejects.jsonl",
        "report.html",
        "report.json",
        "state",
    ]


def test_applying_a_plan_keeps_its_rejects_in_the_list(loader: Run, rejected: Project) -> None:
    planned = loader("plan", *rejected.arguments, *rejected.storage, "--create-table", "--json")
    folder = json.loads(planned.out)["folder"]
    listed = Path(folder, "rejects.jsonl").read_text()

    run = loader("apply", folder, "--create-table")

    assert run.code == 1
    assert len(listed.splitlines()) == 4
    assert Path(folder, "rejects.jsonl").read_text() == listed


def test_the_list_is_written_to_s3(
    loader: Run, sandbox_env: dict[str, str], rejected: Project
) -> None:
    s3 = boto3.client("s3")
    s3.create_bucket(Bucket="rejects")

    run = loader(
        "load", *rejected.arguments, "--storage", "s3://rejects/runs", "--create-table", "--json"
    )

    prefix = json.loads(run.out)["folder"].removeprefix("s3://rejects/")
    body = s3.get_object(Bucket="rejects", Key=f"{prefix}/rejects.jsonl")["Body"].read()
    assert (run.code, len(body.splitlines())) == (1, 4), run.err
