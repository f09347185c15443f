"""The rows that are published, made in the warehouse by SQL.

Each data set is a base table, the view over it that a dbt model would be, and the staging table
that the same model would be as a table with its partition column as sort key.
"""

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass

import psycopg2
from psycopg2 import sql

PARTITIONS = 30
SCHEMA = "bench"
# Redshift's own for a varchar without a length, which in PostgreSQL has no bound:
# https://docs.aws.amazon.com/redshift/latest/dg/r_Character_types.html
VARCHAR = 256
ROWS_PER_USER = 10

Connect = Callable[[], psycopg2.extensions.connection]


@dataclass(frozen=True)
class DataSet:
    """A number of rows and whose they are.

    `users` is an SQL expression of `i`, the number of the row from 1.
    """

    name: str
    rows: int
    users: str

    @property
    def view(self) -> str:
        return f"{SCHEMA}.{self.name}_view"

    @property
    def table(self) -> str:
        """What dbt builds with `staging_materialized: table`."""
        return f"{SCHEMA}.{self.name}_table"


def zipf(rows: int) -> DataSet:
    """Rows of a tenth as many users; the r-th heaviest has a share in proportion to r^-0.5.

    The heaviest of 500,000 users has about 7,000 rows, the lightest about 5, which is within
    DynamoDB's limit for an item also at 20 M rows.
    """
    return DataSet(
        f"tx_{short(rows)}", rows, f"floor({rows // ROWS_PER_USER} * power(random(), 2))"
    )


def even(rows: int) -> DataSet:
    """Ten rows for each user."""
    return DataSet(f"tx_even_{short(rows)}", rows, f"(i - 1) / {ROWS_PER_USER}")


def heavy(rows: int) -> DataSet:
    """`even`, and as many rows again of one user."""
    users = f"case when i > {rows} then -1 else (i - 1) / {ROWS_PER_USER} end"
    return DataSet(f"tx_heavy_{short(rows)}", 2 * rows, users)


def short(rows: int) -> str:
    """1_000_000 as 1m, 250_000 as 250k."""
    for unit, letter in ((1_000_000, "m"), (1_000, "k")):
        if rows % unit == 0:
            return f"{rows // unit}{letter}"
    return str(rows)


def make(connect: Connect, data: DataSet, user: str) -> int:
    """Make what is missing of a data set; the number of its users."""
    with closing(connect()) as session:
        session.autocommit = True
        with session.cursor() as cursor:
            cursor.execute(sql.SQL("set role {}").format(sql.Identifier(user)))
            cursor.execute(f"create schema if not exists {SCHEMA}")
            cursor.execute("select to_regclass(%s)", [f"{data.table}_users"])
            if cursor.fetchone() == (None,):
                for statement in _statements(data):
                    cursor.execute(statement)
            cursor.execute(f"select users from {data.table}_users")  # noqa: S608 ours
            (users,) = cursor.fetchone() or (0,)
    return int(users)


def _statements(data: DataSet) -> list[str]:
    """SQL of our own names. The table of the users' number comes last: it says all is there."""
    base = f"{SCHEMA}.{data.name}"
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
        # Redshift's sort key lets a query skip the blocks without its partitions.
        f"create index on {data.table} using brin (partition_id) with (pages_per_range = 32)",
        f"vacuum analyze {base}",
        f"vacuum analyze {data.table}",
        f"""create table {data.table}_users as
            select count(distinct customer_id) as users from {base}""",  # noqa: S608
    ]
