"""The data sets, which SQL creates in the warehouse.

Each is a base table, a view of it as a dbt model would be, and the same model as a table with the
partition column as its sort key.
"""

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass

import psycopg2
from psycopg2 import sql

PARTITIONS = 30
SCHEMA = "bench"
# Redshift's length of a varchar without one; in PostgreSQL it would be unlimited:
# https://docs.aws.amazon.com/redshift/latest/dg/r_Character_types.html
VARCHAR = 256
ROWS_PER_USER = 10

KEYS_ITEM = f"cast('B' || lpad(cast(i as varchar), 9, '0') as varchar({VARCHAR})) as item_id"

Connect = Callable[[], psycopg2.extensions.connection]


@dataclass(frozen=True)
class DataSet:
    """A number of rows, and `users`: the SQL expression of the user of row `i`, from 1."""

    name: str
    rows: int
    users: str

    @property
    def base(self) -> str:
        return f"{SCHEMA}.{self.name}"

    @property
    def view(self) -> str:
        return f"{SCHEMA}.{self.name}_view"

    @property
    def table(self) -> str:
        """The table that dbt builds with `staging_materialized: table`."""
        return f"{SCHEMA}.{self.name}_table"


def zipf(rows: int) -> DataSet:
    """Ten rows per user on average; the share of the r-th largest user is proportional to r^-0.5.

    Of 500,000 users the largest has about 7,000 rows and the smallest about 5. Its item is within
    DynamoDB's size limit, also with 20 M rows.
    """
    return DataSet(
        f"tx_{short(rows)}", rows, f"floor({rows // ROWS_PER_USER} * power(random(), 2))"
    )


def even(rows: int) -> DataSet:
    """Ten rows per user."""
    return DataSet(f"tx_even_{short(rows)}", rows, f"(i - 1) / {ROWS_PER_USER}")


def heavy(rows: int) -> DataSet:
    """`even`, and the same number of rows again of one user."""
    users = f"case when i > {rows} then -1 else (i - 1) / {ROWS_PER_USER} end"
    return DataSet(f"tx_heavy_{short(rows)}", 2 * rows, users)


def create_keys(connect: Connect, count: int, partitions: int, user: str) -> str:
    """Create a view that computes this many keys, one row each, and return its name."""
    return _create_view(
        connect,
        user,
        f"keys_{short(count)}_view",
        f"""select
                cast(mod(i, {partitions}) as integer) as partition_id,
                cast(i as varchar({VARCHAR})) as user_id,
                {KEYS_ITEM}
            from (select generate_series(1, {count}) as i) as numbers""",  # noqa: S608
    )


def create_cheap_keys(connect: Connect, count: int, user: str) -> str:
    """Create a view as `create_keys` does, of which a query computes only its own partitions."""
    return _create_view(
        connect,
        user,
        f"cheap_keys_{short(count)}_view",
        f"""select
                partition_id,
                cast(i * {PARTITIONS} + partition_id as varchar({VARCHAR})) as user_id,
                {KEYS_ITEM}
            from generate_series(0, {PARTITIONS - 1}) as partition_id,
                lateral generate_series(1, {count // PARTITIONS}) as i""",  # noqa: S608
    )


def _create_view(connect: Connect, user: str, name: str, query: str) -> str:
    """Create a view of this user, and return its name."""
    view = f"{SCHEMA}.{name}"
    with closing(connect()) as session, session, session.cursor() as cursor:
        cursor.execute(sql.SQL("set local role {}").format(sql.Identifier(user)))
        cursor.execute(f"create schema if not exists {SCHEMA}")
        cursor.execute(f"create or replace view {view} as {query}")
    return view


def drop_view(connect: Connect, view: str) -> None:
    with closing(connect()) as session, session, session.cursor() as cursor:
        cursor.execute(f"drop view if exists {view}")


def short(rows: int) -> str:
    """Format 1_000_000 as 1m and 250_000 as 250k."""
    for unit, letter in ((1_000_000, "m"), (1_000, "k")):
        if rows % unit == 0:
            return f"{rows // unit}{letter}"
    return str(rows)


def create(connect: Connect, data: DataSet, user: str) -> int:
    """Create a data set unless it exists, and return the number of its users."""
    with closing(connect()) as session:
        session.autocommit = True
        with session.cursor() as cursor:
            cursor.execute(sql.SQL("set role {}").format(sql.Identifier(user)))
            cursor.execute(f"create schema if not exists {SCHEMA}")
            cursor.execute("select to_regclass(%s)", [f"{data.table}_users"])
            if cursor.fetchone() == (None,):
                for statement in _statements(data):
                    cursor.execute(statement)
            cursor.execute(f"select users from {data.table}_users")  # noqa: S608
            (users,) = cursor.fetchone() or (0,)
    return int(users)


def _statements(data: DataSet) -> list[str]:
    """The table with the number of users comes last: if it exists, the data set is complete."""
    base = data.base
    partition = (
        "cast(mod(abs(cast(checksum(cast(customer_id as varchar)) as bigint)), "
        f"{PARTITIONS}) as integer)"
    )
    return [
        f"drop view if exists {data.view}",
        f"drop table if exists {base}, {data.table}",
        "set work_mem = '512MB'",
        "set max_parallel_workers_per_gather = 0",
        "select setseed(0.5)",
        f"""create unlogged table {base} as
            select
                cast({data.users} as integer) as customer_id,
                cast('B' || lpad(cast(cast(random() * 999999999 as integer) as varchar), 9, '0')
                    as varchar({VARCHAR})) as stock_code,
                timestamp '2024-01-01' + floor(random() * 525600) * interval '1 minute'
                    as invoice_date,
                cast(i as integer) as line_number
            from generate_series(1, {data.rows}) as i""",  # noqa: S608
        f"""create view {data.view} as
            select
                {partition} as partition_id,
                cast(customer_id as varchar({VARCHAR})) as user_id,
                stock_code as item_id,
                invoice_date as purchased_at,
                line_number
            from {base}""",  # noqa: S608
        f"""create unlogged table {data.table} as
            select * from {data.view} order by partition_id""",  # noqa: S608
        # Like Redshift's sort key, this lets a query skip blocks without its partitions.
        f"create index on {data.table} using brin (partition_id) with (pages_per_range = 32)",
        f"vacuum analyze {base}",
        f"vacuum analyze {data.table}",
        f"""create table {data.table}_users as
            select count(distinct customer_id) as users from {base}""",  # noqa: S608
    ]
