"""The second load of a table: only what changed is written, and only our items are deleted."""

# ruff: noqa: S608  the names of relations in the SQL are constants of this file

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from loader import cli
from loader.errors import StorageFailed
from sandbox import Sandbox
from tests.support.projects import Project, export, project
from tests.support.tables import create_table

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from pyspark.sql import SparkSession

pytestmark = pytest.mark.integration

Run = Callable[..., Any]
VIEW = "analytics.changing"
USERS = 100
# Two rows per user; user 1 has a third of a megabyte more than one item holds.
ROWS = f"""
    truncate {VIEW};
    insert into {VIEW}
    select 'u' || n, n % 30, n % 64, 'i' || n || '-' || line, line, now()::timestamp, 'GB',
        repeat('x', 100)
    from generate_series(1, {USERS}) as n, generate_series(1, 2) as line;
    insert into {VIEW}
    select 'u1', 1, 1, 'i1-' || line, line, now()::timestamp, 'GB', repeat('x', 1000)
    from generate_series(3, 700) as line
"""
SPLIT = {"items": {"column": "body", "order_by": ["line_number"]}}
EXPORTS = {
    "changed": export("changed", attributes=["country"]),
    "rejected": export("rejected", attributes=["country"]),
    "guarded": export("guarded", attributes=["country"]),
    "moved": export("moved", attributes=["country"]),
    "moved_once": export("moved_once", attributes=["country"]),
    "split": export("split", collect=SPLIT, oversize={"split": "part"}),
}
FOREIGN = {"user_id": {"S": "stranger"}, "note": {"S": "not ours"}}
Changes = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def written(
    spark: SparkSession,
    sandbox: Sandbox,
    dynamodb: DynamoDBClient,
    tmp_path_factory: pytest.TempPathFactory,
) -> Project:
    """All exports, loaded once; the table `changed` had an item of another program before."""
    with sandbox.connect() as connection, connection.cursor() as cursor:
        cursor.execute(
            "create schema if not exists analytics; "
            f"create table {VIEW} (user_id text, partition_id int, partition_64 int, "
            "item_id text, line_number int, purchased_at timestamp, country text, body text);"
            f"{ROWS}"
        )
    connection.close()
    chosen = project(tmp_path_factory.mktemp("changing") / "p", EXPORTS, VIEW)
    create_table(dynamodb, "changed")
    dynamodb.put_item(TableName="changed", Item=FOREIGN)
    load = ["load", *chosen.arguments, *chosen.storage, "--create-table"]
    with pytest.MonkeyPatch.context() as environment:
        for name, value in sandbox.env().items():
            environment.setenv(name, value)
        assert cli.main(load) == 0
    return chosen


@pytest.fixture
def rows(execute: Run, written: Project) -> Run:
    """The rows of the first load, to change with SQL."""
    execute(ROWS)
    return execute


@pytest.fixture
def load(loader: Run, written: Project) -> Run:
    """Load exports again: the outcome, with the reports."""

    def run(*names: str, options: tuple[str, ...] = (), chosen: Project = written) -> Any:
        arguments = [*chosen.arguments, *written.storage, "--export", *names]
        return loader("load", *arguments, *options, "--json")

    return run


COUNTS = (
    *("new", "changed", "rewritten", "unchanged", "deletes", "held_back", "kept"),
    *("put", "deleted", "keys_before", "keys_after"),
)


def counts(outcome: Any, code: int = 0) -> dict[str, Any]:
    """The counts of the report that are not 0."""
    assert outcome.code == code, outcome.err
    report = json.loads(outcome.out)
    assert report["mismatch"] == []
    return {name: report[name] for name in COUNTS if report[name]}


def model(execute: Run) -> dict[str, tuple[list[str], str]]:
    """The items and the country of each user in the view."""
    users = execute(
        "select user_id, array_agg(item_id order by purchased_at, line_number), max(country) "
        f"from {VIEW} where user_id is not null group by user_id"
    )
    return {user: (items, country) for user, items, country in users}


def table(items: Run, name: str) -> dict[str, tuple[list[str], str]]:
    return {item["user_id"]: (item["items"], item["country"]) for item in items(name)}


def refusal(outcome: Any) -> str:
    head, _, problem = outcome.err.partition("\n  1  ")
    assert (outcome.code, head[-19:]) == (2, "nothing was written"), outcome
    return str(problem)


def test_the_first_load_says_that_the_table_has_items_of_others(written: Project) -> None:
    (report,) = written.folder.glob("runs/changed/runs/*/report.json")

    assert json.loads(report.read_text())["notes"] == [
        "table changed has about 1 items that this export did not write: they stay, unless the "
        f"export has their keys; `loader state adopt changed {' '.join(written.storage)}` takes "
        "them over"
    ]


def test_a_load_without_changes_writes_nothing(load: Run, rows: Run) -> None:
    outcome = load(*EXPORTS)

    assert outcome.code == 0, outcome
    reports = {report["export"]: report for report in map(json.loads, outcome.out.splitlines())}
    assert {
        name: (r["requests"], r["write_units"], r["serial"]) for name, r in reports.items()
    } == (dict.fromkeys(EXPORTS, (0, 0, 2)))
    assert {name: r["unchanged"] for name, r in reports.items()} == {
        **dict.fromkeys(EXPORTS, USERS),
        "split": USERS + 1,
    }


def test_only_new_changed_and_gone_users_are_written_and_items_of_others_stay(
    load: Run, rows: Run, items: Run, dynamodb: DynamoDBClient
) -> None:
    """Users 27, 57 and 87 are all of their partition."""
    rows(
        f"update {VIEW} set country = 'FR' where user_id in ('u2', 'u3'); "
        f"delete from {VIEW} where user_id in ('u27', 'u57', 'u87'); "
        f"insert into {VIEW} select 'new', 4, 4, 'i', 1, now()::timestamp, 'DE', ''"
    )

    changed = load("changed")

    assert counts(changed) == {
        **{"new": 1, "changed": 2, "unchanged": USERS - 5, "deletes": 3, "put": 3, "deleted": 3},
        **{"keys_before": USERS, "keys_after": USERS - 2},
    }
    assert json.loads(changed.out)["write_units"] == 6
    foreign = dynamodb.get_item(TableName="changed", Key={"user_id": FOREIGN["user_id"]})["Item"]
    assert foreign == FOREIGN
    dynamodb.delete_item(TableName="changed", Key={"user_id": FOREIGN["user_id"]})
    assert table(items, "changed") == model(rows)


def test_rejects_keep_their_old_items_and_rows_without_a_key_hold_back_deletes(
    load: Run, rows: Run, items: Run
) -> None:
    before = model(rows)
    rows(
        f"update {VIEW} set country = 'FR' where user_id = 'u2' and line_number = 1; "
        f"update {VIEW} set country = 'IT' where user_id = 'u3'; "
        f"delete from {VIEW} where user_id = 'u4'; "
        f"insert into {VIEW} select null, 4, 4, 'i', 1, now()::timestamp, 'DE', ''"
    )

    rejected = load("rejected", options=("--max-rejects", "2"))
    kept = table(items, "rejected")
    rows(
        f"update {VIEW} set country = 'FR' where user_id = 'u2'; "
        f"delete from {VIEW} where user_id is null"
    )
    fixed = load("rejected")

    assert counts(rejected) == {
        **{"changed": 1, "unchanged": USERS - 3, "held_back": 1, "kept": 1, "put": 1},
        **{"keys_before": USERS, "keys_after": USERS},
    }
    assert kept == {**before, "u3": (before["u3"][0], "IT")}
    assert counts(fixed) == {
        **{"changed": 1, "unchanged": USERS - 2, "deletes": 1, "put": 1, "deleted": 1},
        **{"keys_before": USERS, "keys_after": USERS - 1},
    }
    assert table(items, "rejected") == model(rows)


def test_a_model_that_lost_too_many_users_is_refused_with_the_flag_that_goes_on(
    load: Run, rows: Run, items: Run, loader: Run, written: Project
) -> None:
    def status() -> tuple[int, str, str]:
        """Exit code, first and last line."""
        run = loader("status", "guarded", *written.storage)
        head, *_, last = run.out.splitlines()
        return run.code, head, last

    before = model(rows)
    rows(f"delete from {VIEW} where user_id in (select 'u' || n from generate_series(61, 100) n)")

    few = refusal(load("guarded"))
    after_few = status()
    full = refusal(load("guarded", options=("--full",)))
    rows(f"truncate {VIEW}")
    empty = refusal(load("guarded"))
    after_empty = status()

    assert table(items, "guarded") == before
    assert few.startswith(
        "export guarded must delete at most 10 % of the 100 keys of table guarded (10), "
        "got 40 (40.0 %), such as "
    )
    assert few.endswith("or let exactly these pass with --allow-deletes 40\n")
    assert full == few
    command = f"loader load --export guarded {' '.join([*written.arguments, *written.storage])}"
    step = "If the model is right, write exactly these changes with:  "
    assert after_few == (
        1,
        f"guarded   REFUSED: {few.strip()}",
        f"{step}{command} --json --allow-deletes 40",
    )
    assert after_empty[::2] == (
        1,
        f"{step}{command} --json --min-rows 0 --allow-deletes 100",
    )
    assert empty.startswith("export guarded must read at least 1 row of changing, got 0: check ")

    rows(f"{ROWS}; delete from {VIEW} where user_id in ('u98', 'u99'); ")
    rows(f"update {VIEW} set country = 'FR' where user_id = 'u2'")
    allowed = load("guarded", options=("--full", "--max-deletes", "1", "--allow-deletes", "2"))

    assert counts(allowed) == {
        **{"changed": 1, "rewritten": USERS - 3, "deletes": 2, "put": USERS - 2, "deleted": 2},
        **{"keys_before": USERS, "keys_after": USERS - 2},
    }
    assert table(items, "guarded") == model(rows)
    assert status()[:2] == (0, "guarded   complete")


def test_a_state_of_30_partitions_is_right_for_64_and_for_another_partition_column(
    load: Run, rows: Run, items: Run, tmp_path: Path
) -> None:
    """The old item of a user is in another partition than the new one, which is rejected."""

    def by(column: str) -> Project:
        settings = export("moved", attributes=["country"], partition_column=column, partitions=64)
        return project(tmp_path / column, {"moved": settings}, VIEW)

    before = model(rows)
    rows(
        f"update {VIEW} set country = 'FR' where user_id in ('u2', 'u3'); "
        f"update {VIEW} set country = 'FR' where user_id = 'u50' and line_number = 1; "
        f"delete from {VIEW} where user_id in ('u27', 'u57', 'u87'); "
        f"insert into {VIEW} select 'new', 4, 4, 'i', 1, now()::timestamp, 'DE', ''"
    )
    options = ("--max-rejects", "1")

    moved = load("moved", options=options, chosen=by("partition_64"))
    again = load("moved", options=options, chosen=by("partition_id"))

    assert counts(moved) == {
        **{"new": 1, "changed": 2, "unchanged": USERS - 6, "deletes": 3, "kept": 1},
        **{"put": 3, "deleted": 3, "keys_before": USERS, "keys_after": USERS - 2},
    }
    assert counts(again) == {
        **{"unchanged": USERS - 3, "kept": 1},
        **{"keys_before": USERS - 2, "keys_after": USERS - 2},
    }
    assert table(items, "moved") == {**model(rows), "u50": before["u50"]}


def test_a_run_that_did_not_end_and_moved_keys_leads_to_no_wrong_delete(
    load: Run, rows: Run, items: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The old row of a moved key is in a partition of the state, the new one in one of the run."""
    rows(
        f"update {VIEW} set country = 'FR', partition_id = (partition_id + 1) % 30 "
        "where user_id in ('u2', 'u3', 'u4')"
    )

    def fail(*_: object) -> None:
        raise StorageFailed("write", "current.json", "disk full", "")

    with monkeypatch.context() as broken:
        broken.setattr("loader.publish.commit_run", fail)
        assert load("moved_once").code == 1
    again = load("moved_once")

    assert counts(again) == {"unchanged": USERS, "keys_before": USERS, "keys_after": USERS}
    assert table(items, "moved_once") == model(rows)


def test_a_split_list_that_shrinks_deletes_its_further_items(
    load: Run, rows: Run, items: Run
) -> None:
    rows(f"delete from {VIEW} where user_id = 'u1' and line_number > 2")

    shrunk = load("split")

    assert counts(shrunk) == {
        **{"changed": 1, "unchanged": USERS - 1, "deletes": 1, "put": 1, "deleted": 1},
        **{"keys_before": USERS + 1, "keys_after": USERS},
    }
    assert {item["part"] for item in items("split")} == {0}


def test_without_a_state_all_items_are_put_and_none_is_deleted(
    load: Run, rows: Run, items: Run, written: Project, dynamodb: DynamoDBClient
) -> None:
    rows(f"delete from {VIEW} where user_id = 'u9'")
    load("changed")
    (written.folder / "runs" / "changed" / "current.json").unlink()
    rows(f"delete from {VIEW} where user_id = 'u8'")

    without = load("changed")
    left = {item["user_id"] for item in items("changed")}
    dynamodb.delete_table(TableName="changed")
    create_table(dynamodb, "changed")
    recreated = load("changed")

    everything = {"new": USERS - 2, "put": USERS - 2, "keys_after": USERS - 2}
    assert counts(without) == counts(recreated) == everything
    assert left - {*model(rows)} == {"u8"}
    [why, *_] = json.loads(without.out)["notes"]
    assert why.endswith("though a run has committed one: everything is put, nothing is deleted")
    assert table(items, "changed") == model(rows)
