"""The world of a case: items in the warehouse, a table with limited capacity, a run of the loader.

The emulator accepts everything; the capacity proxy in front of it has the limits.
"""

# ruff: noqa: S608  the names of relations in the SQL are constants of the cases

from __future__ import annotations

import json
import time
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import boto3

from loader.plan.result import load_plan
from loader.storage import unfinished
from loader.storage.changeset import Slice, cut_slices
from loader.storage.location import Location
from loader.storage.unfinished import Begun
from sandbox import Sandbox
from sandbox.capacity import measure
from sandbox.capacity.costs import key_text
from sandbox.capacity.measure import Step
from sandbox.capacity.process import CapacityProxy
from tests.faults.world import Outcome, Process
from tests.support.marked_processes import kill, workers_of
from tests.support.projects import Project, export, project
from tests.support.sandboxes import execute

SCHEMA, PARTITIONS, SLOTS = "pace", 30, 4
INDEX = "by_segment"
# The start of Spark, at most.
START_SECONDS = 120.0
POLL_SECONDS = 0.2
# As many slots on every machine.
SIZES = ["--spark-conf", f"spark.master=local[{SLOTS},4]", "--spark-conf", "spark.ui.enabled=false"]


class CaseFailed(Exception):
    """A case that cannot go on; its message is a part of the result."""


@dataclass(frozen=True)
class Data:
    """Items of one write unit each. `user` and `partition` are SQL, `i` the number of an item."""

    items: int
    user: str = "'u' || i"
    partition: str = f"i % {PARTITIONS}"
    has_sort_key: bool = False
    has_index: bool = False

    def create(self, relation: str) -> str:
        return (
            f"create table {relation} as select {self.user} as user_id, "
            f"cast({self.partition} as integer) as partition_id, i as position, "
            "'s' || i % 1000 as segment, repeat(md5(cast(i as text)), 10) as payload "
            f"from generate_series(0, {self.items - 1}) as i"
        )


@dataclass
class World:
    """A sandbox, and the proxy in front of its emulator."""

    sandbox: Sandbox
    proxy: CapacityProxy
    folder: Path

    def __post_init__(self) -> None:
        self.execute(f"create schema if not exists {SCHEMA}")
        self.dynamodb: Any = boto3.client(
            "dynamodb",
            endpoint_url=self.proxy.url,
            region_name="us-east-1",
            aws_access_key_id="pace",
            aws_secret_access_key="pace",  # noqa: S106
        )

    def execute(self, sql: str) -> list[tuple[Any, ...]]:
        return execute(self.sandbox, sql)

    def environment(self) -> dict[str, str]:
        return self.sandbox.env() | {"AWS_ENDPOINT_URL_DYNAMODB": self.proxy.url}

    def place(self, name: str, data: Data, limits: Mapping[str, Any]) -> Place:
        """A model with these items, its export, and an empty table with these limits."""
        relation = f"{SCHEMA}.{name}"
        self.execute(data.create(relation))
        self._create_table(name, data)
        self.proxy.set_limits(name, **{"mode": "provisioned", "burst": False, **limits})
        settings = export(
            name,
            key=["user_id", "position"] if data.has_sort_key else "user_id",
            partitions=PARTITIONS,
            attributes=["payload", *(["segment"] if data.has_index else [])],
            collect=None,
        )
        written = project(self.folder / name, {name: settings}, relation)
        return Place(self, name, data, written)

    def _create_table(self, name: str, data: Data) -> None:
        sort_key = [("position", "RANGE", "N")] if data.has_sort_key else []
        key = [("user_id", "HASH", "S"), *sort_key]
        types = [(column, letter) for column, _, letter in key]
        throughput = {"WriteCapacityUnits": 1_000, "ReadCapacityUnits": 1_000}
        index: dict[str, Any] = {}
        if data.has_index:
            types.append(("segment", "S"))
            index["GlobalSecondaryIndexes"] = [
                {
                    "IndexName": INDEX,
                    "KeySchema": [{"AttributeName": "segment", "KeyType": "HASH"}],
                    "Projection": {"ProjectionType": "ALL"},
                    "ProvisionedThroughput": throughput,
                }
            ]
        self.dynamodb.create_table(
            TableName=name,
            KeySchema=[{"AttributeName": column, "KeyType": kind} for column, kind, _ in key],
            AttributeDefinitions=[
                {"AttributeName": column, "AttributeType": letter} for column, letter in types
            ],
            BillingMode="PROVISIONED",
            ProvisionedThroughput=throughput,
            **index,
        )


@dataclass
class Place:
    """One export, its model and its table."""

    world: World
    name: str
    data: Data
    project: Project

    def plan(self) -> Path:
        """The folder of a changeset with all items."""
        command = ["plan", *self.project.arguments, *self.project.storage, "--queries", str(SLOTS)]
        with self._process([*command, "--json", *SIZES]) as process:
            outcome = process.wait()
        if outcome.code:
            raise CaseFailed(f"cannot plan: {last_line(outcome.err)}")
        return Path(json.loads(outcome.out.splitlines()[-1])["folder"])

    def let_one_task_run_alone(self, folder: Path) -> None:
        """Make the largest partition one slice, and the others a slice for each other slot.

        The loader cuts slices of equal size, so that this cannot happen with its own.
        """
        plan = load_plan(Location(str(folder)))
        if plan.identity is None:
            raise AssertionError("a plan has the identity of its table")
        largest = max(plan.parts, key=lambda part: part.write_units).partition
        alone = [part for part in plan.parts if part.partition == largest]
        rest = [part for part in plan.parts if part.partition != largest]
        slices = _numbered([*cut_slices(alone, 1), *cut_slices(rest, SLOTS - 1)])
        identity = asdict(plan.identity)
        begun = Begun(plan.run, identity, plan.partitions, time.time(), slices, plan.distributed)
        unfinished.record(Location(str(folder)), begun)

    @contextmanager
    def run(self, folder: Path, write_capacity: str, module: str = "loader") -> Iterator[Run]:
        """Apply the changeset in processes of its own, which do not outlive the block."""
        command = ["apply", str(folder), *self.project.storage, *SIZES]
        command += ["--write-capacity", write_capacity]
        self.world.proxy.clear()
        started = time.monotonic()
        with self._process(command, module) as process:
            yield Run(self, process, started)

    def best_seconds(self, units_per_second: float, ranges: int, range_units: float) -> float:
        """The least time in which all items can be written, by the limits of the key ranges."""
        counts = self.world.execute(
            f"select user_id, count(*) from {SCHEMA}.{self.name} group by user_id"
        )
        by_range: Counter[int] = Counter()
        for user, count in counts:
            by_range[key_range(key_text({"S": user}), ranges)] += count
        return max(self.data.items / units_per_second, max(by_range.values()) / range_units)

    @contextmanager
    def _process(self, arguments: list[str], module: str = "loader") -> Iterator[Process]:
        process = Process(self.name, arguments, self.world.environment(), module)
        try:
            yield process
        finally:
            process.kill()


@dataclass
class Run:
    """A run of the loader; times are seconds of the proxy's record."""

    place: Place
    process: Process
    started: float
    changes: list[Step] = field(default_factory=list)
    struck: list[str] = field(default_factory=list)

    @property
    def now(self) -> float:
        return time.monotonic() - self.started

    def wait_until(self, at: float) -> bool:
        """Wait until a time; False if the run ended before."""
        while self.process.is_running and self.now < at:
            time.sleep(min(POLL_SECONDS, max(0.0, at - self.now)))
        return self.process.is_running

    def first_write(self) -> float | None:
        """Wait for the first write; None if the run ended without one."""
        while self.wait_until(self.now + POLL_SECONDS) and self.now < START_SECONDS:
            uses = measure.uses_of(self.place.world.proxy.record(), self.place.name)
            if first := [use.first for use in uses if use.first is not None]:
                return min(first)
        return None

    def limit(self, units: float) -> None:
        """Change the capacity of the table, as auto scaling does."""
        self.changes.append(Step(self.now, units))
        self.place.world.proxy.set_limits(self.place.name, write=units)

    def pace(self, units: float) -> None:
        """Change what the run may use."""
        self.changes.append(Step(self.now, units))
        command = ["pace", self.place.name, f"{units:g}", *self.place.project.storage]
        process = Process(f"{self.place.name}_pace", command, self.place.world.environment())
        outcome = process.wait()
        if outcome.code:
            raise RuntimeError(
                f"loader {' '.join(command)} ended with {outcome.code}: {outcome.err}"
            )

    def kill_workers(self) -> None:
        """Kill the Python workers with SIGKILL: in a local Spark, they are the executor."""
        workers = workers_of(self.place.name)
        kill(workers)
        self.struck += [f"killed {len(workers)} workers"] if workers else []

    def wait(self) -> Outcome:
        return self.process.wait()


def key_range(key: str, ranges: int) -> int:
    """The key range of a partition key: the proxy's rule."""
    return zlib.crc32(key.encode()) % ranges


def _numbered(slices: Sequence[Slice]) -> list[Slice]:
    return [replace(piece, number=number) for number, piece in enumerate(slices)]


def last_line(text: str) -> str:
    return (text.strip().splitlines() or ["no message"])[-1]
