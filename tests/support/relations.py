"""Tables that the tests create in the sandbox's warehouse."""

# ruff: noqa: S608  the names of relations in the SQL are constants of the tests

from sandbox import Sandbox


def sixty_rows(sandbox: Sandbox, relation: str) -> None:
    """Create a table for `projects.export`: 60 rows of 6 users in partitions 0 to 5."""
    with sandbox.connect() as connection, connection.cursor() as cursor:
        cursor.execute(
            f"""
            create schema if not exists analytics;
            drop table if exists {relation};
            create table {relation} as
            select 'u' || n % 6 as user_id, n % 6 as partition_id, 'i' || n as item_id,
                n as line_number, now()::timestamp as purchased_at
            from generate_series(1, 60) as n
            """
        )
    connection.close()
