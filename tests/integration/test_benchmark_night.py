"""A night of the benchmarks changes few users of a data set, the same every time, and is undone."""

from typing import Any

from psycopg2.extensions import connection as Connection

from benchmarks import night
from benchmarks.data import create, zipf
from sandbox import Sandbox
from sandbox.redshift.postgres import PostgreSQL
from sandbox.settings import DATABASE, USER

ROWS = 10_000


def test_a_night_is_the_same_every_time_and_is_undone(sandbox: Sandbox) -> None:
    data = zipf(ROWS)

    def connect() -> Connection:
        return PostgreSQL(sandbox.settings).connect(DATABASE)

    def items() -> dict[str, list[str]]:
        puts = night.puts(connect, data)
        return dict(map(_item, puts))

    users = create(connect, data, USER)
    before = items()
    night.change(connect, data, users)
    after, changes = items(), list(night.changes(connect, data))
    gone = dict(map(_item, night.puts_of_the_gone(connect, data)))
    night.change(connect, data, users)
    again = items()
    night.restore(connect, data)
    night.restore(connect, data)  # nothing is left to undo

    size = night.night(users)
    assert (len(before), len(after), again) == (users, users, after)
    assert items() == before
    assert {user: before[user] for user in before.keys() - after} == gone
    assert (len(gone), len(after.keys() - before)) == (size.gone, size.new)
    changed = {user for user in after if user in before and after[user] != before[user]}
    assert len(changed) == size.changed
    deletes = [c["DeleteRequest"]["Key"]["user_id"]["S"] for c in changes if "DeleteRequest" in c]
    puts = dict(_item(c) for c in changes if "PutRequest" in c)
    assert sorted(deletes) == sorted(gone)
    assert puts == {user: after[user] for user in changed | (after.keys() - before)}


def _item(change: dict[str, Any]) -> tuple[str, list[str]]:
    item = change["PutRequest"]["Item"]
    return item["user_id"]["S"], sorted(element["S"] for element in item["items"]["L"])
