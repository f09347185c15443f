"""The cases: their order, and the results they must have.

A group runs as a whole, pair by pair, so that the loader and the baseline have the same conditions.
"""

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from benchmarks import cluster, commands, night, repeated
from benchmarks.case import COMPLETE, INCOMPLETE, Case
from benchmarks.data import PARTITIONS, DataSet, create_cheap_keys, even, heavy, zipf
from benchmarks.services import Services
from benchmarks.sink import Contents
from benchmarks.usage import Usage
from sandbox.settings import USER

# Enough for every worker to have a slice and a connection: this measures start-up, not writing.
START_ITEMS = 20_000
# Of the rows of a load on a cluster: enough for the JVMs to compile what a load uses.
WARM_UP = 1 / 20


@dataclass(frozen=True)
class Sizes:
    """The rows of the largest baseline, the items of the slow writers, the rows of a night, the
    keys of a model with one row per key, and the rows of a load on a cluster."""

    rows: int
    written: int
    nightly: int
    keys: int
    cluster: int


def data_sets(sizes: Sizes, groups: set[str]) -> list[DataSet]:
    """The data sets that the groups read."""
    needed = {
        "load": [zipf(sizes.rows), even(START_ITEMS * 10)],
        "ordered": [zipf(sizes.rows)],
        "emr": [zipf(sizes.rows)],
        "write": [even(sizes.rows), even(START_ITEMS * 10)],
        "warehouse": [zipf(sizes.rows)],
        "memory": [even(1_000_000), heavy(1_000_000)],
        "growth": [zipf(sizes.rows), zipf(sizes.rows * 4)],
        "nightly": [zipf(sizes.nightly)],
        "keys": [],
        "cluster": [],
    }
    return list(dict.fromkeys(data for group in groups for data in needed[group]))


def groups(services: Services, sizes: Sizes, users: dict[str, int]) -> dict[str, list[Case]]:
    """All groups by name; `users` has the number of users, and so of items, per data set."""
    base, grown = zipf(sizes.rows), zipf(sizes.rows * 4)
    flat, tiny = even(sizes.rows), even(START_ITEMS * 10)
    million, skewed = even(1_000_000), heavy(1_000_000)
    changing = zipf(sizes.nightly)

    @cache
    def contents(data: DataSet) -> Contents:
        return services.contents(night.puts(services.connect, data))

    def load(name: str, data: DataSet, relation: str, **options: Any) -> Case:
        rejected = int(data is skewed)  # an item of 1 M elements exceeds DynamoDB's limit
        return Case(
            name,
            data.rows,
            users.get(data.name, 0) - rejected,
            lambda folder: commands.load(services, folder, relation, **options),
            INCOMPLETE if rejected else COMPLETE,
            contents=(lambda: contents(data)) if data in (base, tiny) else None,
        )

    def script(name: str, data: DataSet) -> Case:
        command = commands.tuned if name == "tuned" else commands.usual
        return Case(
            name,
            data.rows,
            users.get(data.name, 0),
            lambda folder: command(services, folder, data.view),
            contents=lambda: contents(data),
        )

    def apply(name: str, data: DataSet) -> Case:
        return Case(
            name,
            0,
            users.get(data.name, 0),
            lambda folder: commands.apply(services, folder),
            prepare=lambda folder: commands.copy_changeset(services, folder, data.table),
        )

    def plan(name: str, relation: str) -> Case:
        return Case(
            name, base.rows, 0, lambda folder: commands.plan(services, folder, relation, 30)
        )

    def count(name: str, relation: str) -> Case:
        return Case(name, 0, 0, lambda folder: commands.count(services, folder, relation))

    def writer(name: str, count: int) -> Case:
        return Case(name, 0, count, lambda folder: commands.writer(services, folder, name, count))

    def on_cluster(executors: int, rows: int, suffix: str = "") -> Case:
        keys = rows // PARTITIONS * PARTITIONS
        views = set[str]()

        def create(_: Path) -> None:
            views.add(create_cheap_keys(services.connect, keys, USER))

        def load(folder: Path) -> Usage:
            (view,) = views
            return cluster.load(services, folder, view, executors)

        return Case(f"executors_{executors}{suffix}", keys, keys, load, prepare=create)

    return {
        "load": [
            load("ours", base, base.view),
            script("usual", base),
            script("tuned", base),
            load("ours_start", tiny, tiny.view),
            script("usual_start", tiny),
        ],
        "emr": [
            Case(
                "emr",
                base.rows,
                users.get(base.name, 0),
                lambda folder: commands.emr(services, folder, base.view),
                prepare=lambda _: commands.build_emr(services),
            )
        ],
        "ordered": [load("ours_ordered", base, base.view, ordered=True)],
        "write": [
            apply("apply", flat),
            apply("apply_start", tiny),
            writer("batch_writer", sizes.written),
            writer("put_df", sizes.written),
            writer("http", sizes.written),
        ],
        "warehouse": [
            plan("plan_table", base.table),
            plan("plan_view", base.view),
            count("count_table", base.table),
            count("count_view", base.view),
        ],
        "memory": [
            load("heavy", skewed, skewed.table),
            load("not_heavy", million, million.table),
        ],
        "growth": [load("grown", grown, grown.table), load("base", base, base.table)],
        "nightly": repeated.nightly(services, changing, users.get(changing.name, 0)),
        "keys": repeated.keys(services, sizes.keys),
        "cluster": [
            on_cluster(1, sizes.cluster),
            on_cluster(2, sizes.cluster),
            on_cluster(1, round(sizes.cluster * WARM_UP), "_start"),
            on_cluster(2, round(sizes.cluster * WARM_UP), "_start"),
        ],
    }
