"""The cases that load a table again, after a change of the model or without one."""

import shutil
from functools import cache
from pathlib import Path

from benchmarks import commands, night, project
from benchmarks.case import Case, keep
from benchmarks.data import PARTITIONS, DataSet, create_keys, drop_view
from benchmarks.services import Services
from benchmarks.sink import Contents, Sink
from benchmarks.usage import Usage
from sandbox.settings import USER

MORE_PARTITIONS = 64


def nightly(services: Services, data: DataSet, users: int) -> list[Case]:
    """A full load, and what each contender does after a night (night.py).

    `changes` writes only the changes, each with its fewest requests and write units. The scripts
    start from the same table as the loader; they leave the items of the users who are gone.
    """
    connect, storage = services.connect, services.storage / "nightly"

    @cache
    def before() -> Contents:
        return services.contents(night.puts(connect, data))

    @cache
    def after() -> Contents:
        return services.contents(night.puts(connect, data))

    @cache
    def after_without_deletes() -> Contents:
        return after() + services.contents(night.puts_of_the_gone(connect, data))

    def first(_: Path) -> None:
        night.restore(connect, data)
        shutil.rmtree(storage, ignore_errors=True)

    def load(folder: Path) -> Usage:
        return commands.load(services, folder, data.view, storage=storage)

    changes = night.night(users).changes
    return [
        Case(
            "full", data.rows, users, load,
            prepare=first, contents=before, finish=services.sink.save,
        ),
        Case(
            "nightly", data.rows, changes, load,
            prepare=lambda _: night.change(connect, data, users), table=keep, contents=after,
        ),
        Case("unchanged", data.rows, 0, load, table=keep, contents=after),
        Case(
            "changes", 0, changes,
            lambda _: commands.write_changes(services, night.changes(connect, data)),
            table=Sink.restore, contents=after,
        ),
        Case(
            "usual_nightly", data.rows, users,
            lambda folder: commands.usual(services, folder, data.view),
            table=Sink.restore, contents=after_without_deletes,
        ),
        Case(
            "tuned_nightly", data.rows, users,
            lambda folder: commands.tuned(services, folder, data.view),
            table=Sink.restore, contents=after_without_deletes,
            finish=lambda: night.restore(connect, data),
        ),
    ]  # fmt: skip


def keys(services: Services, count: int) -> list[Case]:
    """A load of keys with one row each, and loads after which no item has changed.

    The last one has more partitions. A view computes the rows, so that they take no disk space.
    """
    storage, views = services.storage / "keys", set[str]()
    state = storage / project.EXPORT

    def create(partitions: int) -> None:
        views.add(create_keys(services.connect, count, partitions, USER))

    def first(_: Path) -> None:
        shutil.rmtree(storage, ignore_errors=True)
        create(PARTITIONS)

    def load(folder: Path, partitions: int = PARTITIONS) -> Usage:
        (view,) = views
        return commands.load(services, folder, view, storage, partitions=partitions)

    def last() -> None:
        shutil.rmtree(storage)
        drop_view(services.connect, views.pop())

    return [
        Case("keys_full", count, count, load, prepare=first, state=state),
        Case("keys_unchanged", count, 0, load, table=keep, state=state),
        Case(
            "keys_moved", count, 0, lambda folder: load(folder, MORE_PARTITIONS),
            prepare=lambda _: create(MORE_PARTITIONS), table=keep, state=state, finish=last,
        ),
    ]  # fmt: skip
