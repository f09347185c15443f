"""The cases: what is run, in which order, and what has to come of it.

A group is run as a whole, pair by pair, so that ours and the baseline see the same machine.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks import commands
from benchmarks.data import DataSet, even, heavy, zipf
from benchmarks.measure import Usage
from benchmarks.place import Place

COMPLETE, INCOMPLETE = 0, 1
# Enough that every worker has a slice and has made its first connection: start-up, not writing.
START_ITEMS = 20_000


@dataclass(frozen=True)
class Sizes:
    """Rows of the largest baseline, and how many items the slow writers get."""

    rows: int
    written: int


@dataclass(frozen=True)
class Case:
    """A command, how many rows it reads, how many items the sink must get, and its exit code.

    `prepare` is not measured; both get the folder of this run.
    """

    name: str
    rows: int
    items: int
    run: Callable[[Path], Usage]
    code: int = COMPLETE
    prepare: Callable[[Path], None] = lambda folder: None


def data_sets(sizes: Sizes, groups: set[str]) -> list[DataSet]:
    """What the groups read."""
    needed = {
        "load": [zipf(sizes.rows), even(START_ITEMS * 10)],
        "ordered": [zipf(sizes.rows)],
        "emr": [zipf(sizes.rows)],
        "write": [even(sizes.rows), even(START_ITEMS * 10)],
        "warehouse": [zipf(sizes.rows)],
        "memory": [even(1_000_000), heavy(1_000_000)],
        "growth": [zipf(sizes.rows), zipf(sizes.rows * 4)],
    }
    return list(dict.fromkeys(data for group in groups for data in needed[group]))


def groups(place: Place, sizes: Sizes, users: dict[str, int]) -> dict[str, list[Case]]:
    """All groups by name; `users` says how many items each data set becomes."""
    base, grown = zipf(sizes.rows), zipf(sizes.rows * 4)
    flat, tiny = even(sizes.rows), even(START_ITEMS * 10)
    million, one_heavy = even(1_000_000), heavy(1_000_000)

    def load(name: str, data: DataSet, relation: str, **more: object) -> Case:
        left_out = int(data is one_heavy)  # an item of 1 M elements is beyond DynamoDB's limit
        return Case(
            name,
            data.rows,
            users.get(data.name, 0) - left_out,
            lambda folder: commands.load(place, folder, relation, **more),  # type: ignore[arg-type]
            INCOMPLETE if left_out else COMPLETE,
        )

    def usual(name: str, data: DataSet) -> Case:
        return Case(
            name,
            data.rows,
            users.get(data.name, 0),
            lambda folder: commands.usual(place, folder, data.view),
        )

    def apply(name: str, data: DataSet) -> Case:
        return Case(
            name,
            0,
            users.get(data.name, 0),
            lambda folder: commands.apply(place, folder),
            prepare=lambda folder: commands.copy_changeset(place, folder, data.table),
        )

    def plan(name: str, relation: str) -> Case:
        return Case(name, base.rows, 0, lambda folder: commands.plan(place, folder, relation, 30))

    def count(name: str, relation: str) -> Case:
        return Case(name, 0, 0, lambda folder: commands.count(place, folder, relation))

    def writer(name: str, count: int) -> Case:
        return Case(name, 0, count, lambda folder: commands.writer(place, folder, name, count))

    return {
        "load": [
            load("ours", base, base.view),
            usual("usual", base),
            load("ours_start", tiny, tiny.view),
            usual("usual_start", tiny),
        ],
        "emr": [
            Case(
                "emr",
                base.rows,
                users.get(base.name, 0),
                lambda folder: commands.emr(place, folder, base.view),
                prepare=lambda _: commands.build_emr(place),
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
            load("heavy", one_heavy, one_heavy.table),
            load("not_heavy", million, million.table),
        ],
        "growth": [load("grown", grown, grown.table), load("base", base, base.table)],
    }
