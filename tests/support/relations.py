"""Tables for `projects.export` that the tests create in the sandbox's warehouse."""

# ruff: noqa: S608  the names of relations in the SQL are constants of the tests

from sandbox import Sandbox
from tests.support.sandboxes import execute


def sixty_rows(sandbox: Sandbox, relation: str) -> None:
    """60 rows of 6 users in partitions 0 to 5."""
    _create(sandbox, relation, 60, "n % 6", "n % 6")


def one_row_per_user(sandbox: Sandbox, relation: str, users: int) -> None:
    """Users in partitions 0 to 3, with a row each."""
    _create(sandbox, relation, users, "n", "n % 4")


def _create(sandbox: Sandbox, relation: str, rows: int, user: str, partition: str) -> None:
    execute(
        sandbox,
        f"""
        create schema if not exists analytics;
        drop table if exists {relation} cascade;
        create table {relation} as
        select 'u' || {user} as user_id, {partition} as partition_id, 'i' || n as item_id,
            n as line_number, now()::timestamp as purchased_at
        from generate_series(1, {rows}) as n
        """,
    )
