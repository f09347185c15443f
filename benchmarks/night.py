"""A night: the model changes a little between two loads.

Of the users 1 % have another item, 0.5 % leave, and as many new ones come. The rows of the base
table are changed, so the view and its cost stay the same. The same users are chosen every time.
"""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from benchmarks.data import ROWS_PER_USER, Connect, DataSet
from sandbox.settings import USER

CHANGED, GONE = 0.01, 0.005
SEED = "night"
# New users have numbers that no data set uses.
NEW_USERS = 1_000_000_000


@dataclass(frozen=True)
class Night:
    """The number of users whose item changes, disappears or appears."""

    changed: int
    gone: int
    new: int

    @property
    def changes(self) -> int:
        return self.changed + self.gone + self.new


def night(users: int) -> Night:
    """The night of a model with this number of users."""
    gone = max(1, round(users * GONE))
    return Night(max(1, round(users * CHANGED)), gone, gone)


def change(connect: Connect, data: DataSet, users: int) -> None:
    """Change the model; `restore` undoes it."""
    restore(connect, data)
    size, base = night(users), data.base
    _execute(
        connect,
        data,
        f"""create unlogged table {base}_night as
            select customer_id, number <= {size.changed} as stays
            from (
                select
                    customer_id,
                    row_number() over (order by md5('{SEED}' || customer_id)) as number
                from (select distinct customer_id from {base}) as users
            ) as numbered
            where number <= {size.changed + size.gone}""",  # noqa: S608
        f"""create unlogged table {base}_before as
            select * from {base} where customer_id in (select customer_id from {base}_night)""",  # noqa: S608
        f"""delete from {base}
            where customer_id in (select customer_id from {base}_night where not stays)""",  # noqa: S608
        f"""update {base} set stock_code = 'C' || substr(stock_code, 2)
            where line_number in (
                select min(line_number) from {base}_before
                where customer_id in (select customer_id from {base}_night where stays)
                group by customer_id
            )""",  # noqa: S608
        f"""insert into {base}
            select
                {NEW_USERS} + (i - 1) / {ROWS_PER_USER},
                'D' || lpad(cast(i as varchar), 9, '0'),
                timestamp '2025-01-01',
                {data.rows} + i
            from generate_series(1, {size.new * ROWS_PER_USER}) as i""",  # noqa: S608
    )


def restore(connect: Connect, data: DataSet) -> None:
    """Undo `change`, if the model is changed."""
    base = data.base
    with closing(connect()) as session, session.cursor() as cursor:
        cursor.execute("select to_regclass(%s)", [f"{base}_before"])
        if cursor.fetchone() == (None,):
            return
    _execute(
        connect,
        data,
        f"""delete from {base}
            where customer_id in (select customer_id from {base}_night)
            or customer_id >= {NEW_USERS}""",  # noqa: S608
        f"insert into {base} select * from {base}_before",  # noqa: S608
        f"drop table {base}_before, {base}_night",
    )


def puts(connect: Connect, data: DataSet) -> Iterator[dict[str, Any]]:
    """A put of every item of the model as it is now."""
    return _puts(connect, data.base)


def puts_of_the_gone(connect: Connect, data: DataSet) -> Iterator[dict[str, Any]]:
    """A put of the old item of every user who left."""
    gone = f"select customer_id from {data.base}_night where not stays"  # noqa: S608
    return _puts(connect, f"{data.base}_before where customer_id in ({gone})")


def changes(connect: Connect, data: DataSet) -> Iterator[dict[str, Any]]:
    """What brings the table up to date: a put or a delete of every user of the night."""
    stays = f"select customer_id from {data.base}_night where stays"  # noqa: S608
    yield from _puts(
        connect, f"{data.base} where customer_id in ({stays}) or customer_id >= {NEW_USERS}"
    )
    gone = f"select customer_id from {data.base}_night where not stays"  # noqa: S608
    for (user,) in _rows(connect, gone):
        yield {"DeleteRequest": {"Key": {"user_id": {"S": str(user)}}}}


def _puts(connect: Connect, rows: str) -> Iterator[dict[str, Any]]:
    query = f"select customer_id, array_agg(stock_code) from {rows} group by customer_id"  # noqa: S608
    for user, codes in _rows(connect, query):
        items = {"L": [{"S": code} for code in codes]}
        yield {"PutRequest": {"Item": {"user_id": {"S": str(user)}, "items": items}}}


def _rows(connect: Connect, query: str) -> Iterator[tuple[Any, ...]]:
    """The rows of a query, read in chunks."""
    with closing(connect()) as session, session.cursor("rows") as cursor:
        cursor.itersize = 10_000
        cursor.execute(query)
        yield from cursor


def _execute(connect: Connect, data: DataSet, *statements: str) -> None:
    """Run the statements as one transaction, as the owner of the tables, and then vacuum."""
    with closing(connect()) as session:
        with session, session.cursor() as cursor:
            cursor.execute("set local work_mem = '512MB'")
            cursor.execute(f"set local role {USER}")
            for statement in statements:
                cursor.execute(statement)
        session.autocommit = True
        with session.cursor() as cursor:
            cursor.execute(f"vacuum analyze {data.base}")
