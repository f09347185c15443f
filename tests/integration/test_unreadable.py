"""A view that cannot be read is refused with the cause that the warehouse gives, and its remedy."""

# ruff: noqa: S608  the names of relations in the SQL are constants of this file

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from sandbox import Sandbox
from sandbox.redshift.postgres import PostgreSQL
from sandbox.settings import DATABASE
from tests.support.projects import export, project

pytestmark = pytest.mark.integration

Run = Callable[..., Any]
VIEW = "analytics.locked_items"
BASE = "analytics.locked_base"
COLUMNS = "user_id text, partition_id int, item_id text, purchased_at timestamp, line_number int"
# PostgreSQL expands a function in SQL when it plans the query, as Redshift does with a view
# `with no schema binding`: the relations in it are looked up by then, as the reader.
SETUP = f"""
create schema if not exists analytics authorization loader_dev;
drop view if exists {VIEW};
drop function if exists {VIEW}_source();
drop table if exists {BASE}, {BASE}_before cascade;
create table {BASE} ({COLUMNS}, spare int);
create function {VIEW}_source() returns setof {BASE} language sql stable as 'select * from {BASE}';
create view {VIEW} as select * from {VIEW}_source();
alter role reader login connection limit -1;
revoke all on schema analytics from reader;
revoke all on all tables in schema analytics from reader;
"""
GRANTED = f"grant usage on schema analytics to reader; grant select on {VIEW}, {BASE} to reader;"


@pytest.fixture
def as_owner(sandbox: Sandbox) -> Iterator[Run]:
    with closing(PostgreSQL(sandbox.settings).connect(DATABASE)) as session:
        session.autocommit = True
        with session.cursor() as cursor:
            cursor.execute(
                "do $$ begin create role reader login password 'Reader-0nly'; "
                "exception when duplicate_object then null; end $$"
            )
            cursor.execute(SETUP)
            yield cursor.execute


CANNOT = "cannot read from {address} as user reader: "
BUILD = "`dbt build --select locked_items` with the same target"


@pytest.mark.parametrize(
    ("sql", "problem"),
    [
        (
            "",
            CANNOT + "ERROR: permission denied for schema analytics. "
            'Grant it: `grant usage on schema "analytics" to "reader"`',
        ),
        (
            "grant usage on schema analytics to reader",
            CANNOT + "ERROR: permission denied for view locked_items. "
            'Grant it: `grant select on table "analytics"."locked_items" to "reader"`',
        ),
        (
            f"grant usage on schema analytics to reader; grant select on {VIEW} to reader",
            CANNOT + "ERROR: permission denied for table locked_base. "
            'Grant it: `grant select on table "locked_base" to "reader"`, '
            "or to the owner of the view that reads it",
        ),
        (
            f"{GRANTED} alter table {BASE} rename to locked_base_before",
            f"view {VIEW} must have the relations that it reads, got "
            f'ERROR: relation "{BASE}" does not exist: restore it, or correct the model, then '
            f"run {BUILD}",
        ),
        (
            f"drop view {VIEW}; {GRANTED.replace(f'{VIEW}, ', '')}",
            f"view {VIEW} must exist in {{address}}, got none "
            f'(ERROR: relation "{VIEW}" does not exist): run {BUILD}',
        ),
        (
            f"{GRANTED} drop view {VIEW}; create view {VIEW} as select user_id, item_id, "
            f"partition_id, line_number, '(1,2)'::point as spare from {BASE}; "
            f"grant select on {VIEW} to reader",
            f"column purchased_at must be in {VIEW}, got the columns user_id, item_id, "
            "partition_id, line_number, spare: correct the exposure or the model",
        ),
        (
            "alter role reader nologin",
            CANNOT + 'FATAL: role "reader" is not permitted to log in. '
            "Check user and password of the dbt target, and that the user may log in",
        ),
        (
            "alter role reader connection limit 0",
            CANNOT + 'FATAL: too many connections for role "reader". '
            "End other sessions, or raise the limit of connections",
        ),
    ],
    ids=[
        "no usage",
        "no select",
        "no select on its source",
        "its source is gone",
        "missing",
        "a column is missing and another has no type",
        "may not log in",
        "too many connections",
    ],
)
def test_a_view_that_the_user_cannot_read_is_refused_with_its_cause(
    loader: Run,
    as_owner: Run,
    sandbox: Sandbox,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    sql: str,
    problem: str,
) -> None:
    as_owner(sql or "select 1")
    monkeypatch.setenv("REDSHIFT_USER", "reader")
    monkeypatch.setenv("REDSHIFT_PASSWORD", "Reader-0nly")
    chosen = project(tmp_path, {"locked": export("locked")}, VIEW)

    run = loader("plan", *chosen.arguments, *chosen.storage, "--create-table")

    address = f"127.0.0.1:{sandbox.settings.redshift_port}/dev"
    assert (run.code, run.out) == (2, "")
    assert run.err == (
        "1 problem with export locked, nothing was written\n"
        f"  1  {problem.format(address=address)}\n"
    )


def test_a_database_that_does_not_exist_is_refused(
    loader: Run, sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REDSHIFT_DATABASE", "gone")
    chosen = project(tmp_path, {"locked": export("locked")}, VIEW)
    manifest = chosen.folder / "target" / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"dev"', '"gone"'))

    run = loader("plan", *chosen.arguments, *chosen.storage, "--create-table")

    assert run.err.endswith(
        f"  1  cannot read from 127.0.0.1:{sandbox.settings.redshift_port}/gone as user "
        'loader_dev: FATAL: database "gone" does not exist. Correct dbname of the dbt target\n'
    )
