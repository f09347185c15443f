"""A load reads only the rows of keys whose rows are not the same as in the last run."""

# ruff: noqa: S608  the names of relations in the SQL are constants of this file

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sandbox import Sandbox
from tests.support.projects import Project, export, project

pytestmark = pytest.mark.integration

Run = Callable[..., Any]
VIEW = "analytics.nights"
USERS = 200
# Two rows per user.
ROWS = f"""
    create schema if not exists analytics;
    create table {VIEW} as
    select cast('u' || n as varchar(20)) as user_id, n % 30 as partition_id,
        cast('i' || line as varchar(20)) as item_id, line as line_number,
        timestamp '2024-01-01' + line * interval '1 day' as purchased_at,
        cast('GB' as varchar(20)) as country
    from generate_series(1, {USERS}) as n, generate_series(1, 2) as line
"""
COUNTS = ("rows_read", "rows_same", "new", "changed", "unchanged", "deletes", "rejected", "kept")


@pytest.fixture(scope="module")
def model(sandbox: Sandbox) -> Callable[[str], list[tuple[Any, ...]]]:
    """Run SQL on the model."""

    def run(sql: str) -> list[tuple[Any, ...]]:
        with sandbox.connect() as connection, connection.cursor() as cursor:
            cursor.execute(sql)
            rows = cursor.fetchall() if cursor.description else []
        connection.close()
        return rows

    run(ROWS)
    return run


def settings(**changes: Any) -> dict[str, Any]:
    return {
        "nights": export("nights", attributes=["country"], **changes),
        "nights_read": export("nights_read", attributes=["country"], read="all"),
    }


class Nights:
    """The loads of an export, one after the other."""

    def __init__(self, folder: Path, loader: Run) -> None:
        self.chosen, self._loader = project(folder / "p", settings(), VIEW), loader
        self.storage = self.chosen.storage

    def load(self, *options: str, export: str = "nights", chosen: Project | None = None) -> Any:
        arguments = [*(chosen or self.chosen).arguments, *self.storage, "--export", export]
        return self._loader("load", *arguments, "--create-table", "--json", *options)

    def counts(self, *options: str, **choices: Any) -> dict[str, int]:
        """The counts of a load that are not 0."""
        outcome = self.load(*options, **choices)
        assert outcome.code == 0, outcome.err
        report = json.loads(outcome.out)
        assert report["mismatch"] == []
        self.notes = report["notes"]
        return {name: report[name] for name in COUNTS if report[name]}


def test_each_night_reads_only_what_has_changed_and_the_table_equals_the_model(
    loader: Run, items: Run, model: Run, tmp_path: Path
) -> None:
    def require_equal() -> None:
        rows = model(
            "select user_id, array_agg(item_id order by line_number), max(country) "
            f"from {VIEW} where user_id is not null group by user_id"
        )
        table = {item["user_id"]: (item["items"], item["country"]) for item in items("nights")}
        assert table == {user: (elements, country) for user, elements, country in rows}

    nights = Nights(tmp_path, loader)
    all_rows = 2 * USERS
    assert nights.counts() == {"rows_read": all_rows, "new": USERS}
    assert nights.counts() == {"rows_same": all_rows, "unchanged": USERS}

    # User 30 is alone in no partition; users 7, 37, … are all of theirs.
    model(
        f"update {VIEW} set item_id = 'other' where user_id = 'u2' and line_number = 1; "
        f"delete from {VIEW} where user_id = 'u30' or partition_id = 7; "
        f"insert into {VIEW} values ('new', 4, 'i1', 1, timestamp '2024-01-01', 'DE')"
    )
    gone = 1 + len(range(7, USERS + 1, 30))
    assert nights.counts() == {
        **{"rows_read": 3, "rows_same": all_rows - 2 * gone - 2, "new": 1, "changed": 1},
        **{"unchanged": USERS - gone - 1, "deletes": gone},
    }
    require_equal()

    # Back again: the state has the hash of the rows that were read last.
    model(f"update {VIEW} set item_id = 'i1' where user_id = 'u2' and line_number = 1")
    left = USERS - gone
    rows = 2 * left + 1
    assert nights.counts() == {
        **{"rows_read": 2, "rows_same": rows - 2, "changed": 1, "unchanged": left},
    }
    require_equal()

    # Other rows, but the same item.
    model(f"update {VIEW} set purchased_at = timestamp '2023-01-01' where user_id = 'new'")
    assert nights.counts() == {"rows_read": 1, "rows_same": rows - 1, "unchanged": left + 1}
    assert nights.counts() == {"rows_same": rows, "unchanged": left + 1}
    assert nights.counts("--full") == {"rows_read": rows}
    require_equal()


def test_rejected_items_are_read_again_and_rows_without_a_key_are_found(
    loader: Run, model: Run, tmp_path: Path
) -> None:
    nights = Nights(tmp_path, loader)
    nights.counts()
    (rows,) = model(f"select count(*), count(distinct user_id) from {VIEW}")
    model(
        f"update {VIEW} set country = 'FR' where user_id = 'u3' and line_number = 1; "
        f"insert into {VIEW} values (null, 4, 'i1', 1, timestamp '2024-01-01', 'DE')"
    )

    first = nights.counts("--max-rejects", "2")
    again = nights.counts("--max-rejects", "2")
    model(
        f"update {VIEW} set country = 'GB' where user_id = 'u3'; "
        f"delete from {VIEW} where user_id is null"
    )
    mended = nights.counts()

    assert first == again == {
        **{"rows_read": 3, "rows_same": rows[0] - 2, "unchanged": rows[1] - 1, "rejected": 1},
        "kept": 1,
    }  # fmt: skip
    # The old item is still there: only its rows are read once more, to know their hash.
    assert mended == {"rows_read": 2, "rows_same": rows[0] - 2, "unchanged": rows[1]}


def test_all_rows_are_read_if_an_item_may_depend_on_something_else(
    loader: Run, items: Run, model: Run, tmp_path: Path
) -> None:
    """Another setting, a moved key, many changes; or the export's own choice."""
    nights = Nights(tmp_path, loader)
    nights.counts()
    ((rows, users),) = model(f"select count(*), count(distinct user_id) from {VIEW}")
    everything = {"rows_read": rows, "unchanged": users}

    model(f"update {VIEW} set partition_id = 9 where user_id = 'u5'")
    moved, moved_notes = nights.counts(), nights.notes
    model(f"update {VIEW} set country = 'IT' where partition_id < 10")
    many, many_notes = nights.counts(), nights.notes
    limited = {"items": {"column": "item_id", "order_by": ["purchased_at"], "limit": 1}}
    chosen = project(tmp_path / "limited", settings(collect=limited), VIEW)
    other = nights.counts("--max-changes", "100%", chosen=chosen)

    assert (moved, moved_notes) == (
        everything,
        [
            "a key is in another partition than in the last run: all rows were read",
            "keys of the state are in other partitions now: the keys are distributed again",
        ],
    )
    changed = many.pop("changed")
    assert many == {"rows_read": rows, "unchanged": users - changed}
    assert many_notes == [
        f"{changed:,} of {users:,} keys have other rows than in the last run: all rows were read"
    ]
    assert other.pop("rows_read") == rows
    assert {len(item["items"]) for item in items("nights")} == {1}
    assert [*nights.chosen.folder.rglob("same")] == []
    assert nights.counts(export="nights_read") == {"rows_read": rows, "new": users}
    assert nights.counts(export="nights_read") == everything
    assert nights.notes == []


@pytest.mark.parametrize("countries", [["GB"], ["GB", "DE"]], ids=["valid", "rejected"])
def test_a_key_that_comes_to_a_second_partition_is_refused(
    loader: Run, model: Run, tmp_path: Path, countries: list[str]
) -> None:
    nights = Nights(tmp_path, loader)
    nights.counts()
    for country in countries:
        model(f"insert into {VIEW} values ('u11', 25, 'i3', 3, now(), '{country}')")

    outcome = nights.load("--max-rejects", "1", "--queries", "2")
    model(f"delete from {VIEW} where user_id = 'u11' and partition_id = 25")

    assert outcome.code == 1
    assert "a key is in two partitions" in outcome.err


def test_a_read_of_some_keys_that_stands_still_ends_and_is_named(
    loader: Run, model: Run, tmp_path: Path, sandbox: Sandbox
) -> None:
    """The jobs before it have ended more tasks than it has."""
    model(
        "create table analytics.paused_rows as select 'u' || n as user_id, n % 8 as partition_id, "
        "'i' || line as item_id, 'GB' as country "
        "from generate_series(1, 80) as n, generate_series(1, 3) as line; "
        "create view analytics.paused as select user_id, partition_id, item_id, country || case "
        "when current_query() like '%\"loader:hash_of_key\" in (%' then pg_sleep(600)::text "
        "else '' end as country from analytics.paused_rows"
    )
    paused = export(
        "paused",
        partitions=8,
        collect={"items": {"column": "item_id"}},
        attributes=["country"],
    )
    chosen = project(tmp_path / "p", {"paused": paused}, "analytics.paused")
    arguments = [*chosen.arguments, *chosen.storage, "--create-table", "--queries", "4"]
    assert loader("load", *arguments).code == 0
    model("update analytics.paused_rows set country = 'FR' where user_id = 'u4'")

    outcome = loader("load", *arguments, "--stall-minutes", "0.1")

    assert outcome.code == 1
    assert outcome.err.splitlines()[-1].startswith(
        "cannot read partitions 4 to 5 of analytics.paused from 127.0.0.1:"
        f"{sandbox.settings.redshift_port}/dev for export paused: no progress for 0.1 min"
    )
