"""The world of a crash: a model that changes, a table, and runs of the loader between them."""

# ruff: noqa: S608  the names of relations in the SQL are constants of this file

from __future__ import annotations

import contextlib
import os
import random
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sandbox import Sandbox
from tests.faults.world import Outcome, Process, run
from tests.support.marked_processes import processes_of, workers_of
from tests.support.projects import Project, export, project
from tests.support.sandboxes import execute, reader
from tests.support.tables import create_table, items_of_users

USERS, ROWS, PARTITIONS = 800, 2, 8
BUCKET = "crash"
FOREIGN = {f"foreign{number}": ["theirs"] for number in range(5)}
JVM = "org.apache.spark.deploy.SparkSubmit"
# Short waits: a lock expires after 6 s, and a task that has lost its driver stops after 1 s.
WRITING = ["--lock-seconds", "6", "--requests", "2", "--retry-seconds", "6"]
QUIET = ["--spark-conf", "spark.ui.enabled=false"]

Items = dict[str, list[str]]


@dataclass
class World:
    """A sandbox, with the clients of its servers."""

    sandbox: Sandbox
    folder: Path

    def __post_init__(self) -> None:
        self.execute("create schema if not exists analytics")
        self.dynamodb = reader(self.sandbox, "dynamodb")
        reader(self.sandbox, "s3").create_bucket(Bucket=BUCKET)

    def execute(self, sql: str) -> list[tuple[Any, ...]]:
        return execute(self.sandbox, sql)

    def environment(self, port: int | None = None) -> dict[str, str]:
        """The sandbox's environment; `port` is that of a proxy in front of AWS."""
        environment = self.sandbox.env()
        if port:
            url = f"http://127.0.0.1:{port}"
            environment |= {"AWS_ENDPOINT_URL_DYNAMODB": url, "AWS_ENDPOINT_URL_S3": url}
        return environment


@dataclass
class Place:
    """One export, its model, its storage and its table, which the first load creates if need be."""

    world: World
    name: str
    random: random.Random
    on_s3: bool
    has_table: bool
    project: Project = field(init=False)
    version: int = 0

    def __post_init__(self) -> None:
        settings = export(
            self.name,
            partitions=PARTITIONS,
            collect={"items": {"column": "item_id", "order_by": ["line_number"]}},
        )
        folder = self.world.folder / self.name
        self.project = project(folder, {self.name: settings}, self.relation)
        if self.has_table:
            self._create_table()
        self.world.execute(
            f"create table {self.relation} as select 'u' || u as user_id, "
            f"u % {PARTITIONS} as partition_id, n as line_number, "
            "repeat(md5(u || '-' || n), 80) as item_id "
            f"from generate_series(1, {USERS}) as u, generate_series(1, {ROWS}) as n"
        )

    def _create_table(self) -> None:
        create_table(self.world.dynamodb, self.name)
        for user, items in FOREIGN.items():
            item = {"user_id": {"S": user}, "items": {"L": [{"S": value} for value in items]}}
            self.world.dynamodb.put_item(TableName=self.name, Item=item)

    @property
    def foreign(self) -> Items:
        """The items of others: only a table that was there before has some."""
        return FOREIGN if self.has_table else {}

    @property
    def relation(self) -> str:
        return f"analytics.{self.name}"

    @property
    def storage(self) -> str:
        return f"s3://{BUCKET}/{self.name}" if self.on_s3 else str(self.project.folder / "runs")

    def change_model(self) -> None:
        """Change a fifth of the users; a twentieth goes, and as many are new or come back.

        So few that a load reads only the rows of these users, and not all.
        """
        self.version += 1
        seed = self.random.randrange(1000)
        self.world.execute(
            f"delete from {self.relation} "
            f"where abs(hashtext(user_id || {seed})) % 20 = 0; "
            f"update {self.relation} set item_id = repeat(md5(item_id || {self.version}), 80) "
            f"where abs(hashtext(user_id || {seed})) % 5 = 1; "
            f"insert into {self.relation} select 'u' || u, u % {PARTITIONS}, n, "
            f"repeat(md5(u || '-{self.version}-' || n), 80) "
            f"from generate_series(1, {USERS * 11 // 10}) as u, generate_series(1, {ROWS}) as n "
            f"where abs(hashtext('u' || u || {seed})) % 15 = 2 "
            f"and not exists (select from {self.relation} where user_id = 'u' || u)"
        )

    def model(self) -> Items:
        rows = self.world.execute(
            "select user_id, string_agg(item_id, ',' order by line_number) "
            f"from {self.relation} group by user_id"
        )
        return {user: items.split(",") for user, items in rows}

    def items(self) -> Items:
        return items_of_users(self.world.dynamodb, self.name)

    # ---- commands

    def command(self, verb: str, *arguments: str) -> list[str]:
        """A command on the export; guards let every delete pass, because here it is meant."""
        command = [verb, *arguments, "--storage", self.storage]
        if verb in ("plan", "load", "verify"):
            command += [*self.project.arguments, "--queries", "3"]
        if verb in ("plan", "load"):
            command += ["--max-deletes", "100%", "--create-table"]
        if verb in ("apply", "resume"):
            command += ["--create-table"]
        return [*command, *WRITING] if verb in ("load", "apply", "resume") else command

    def run(self, arguments: list[str], port: int | None = None) -> Outcome:
        """Run a command in this process, with the shared Spark session."""
        return run(arguments, self.world.environment(port))

    @contextmanager
    def process(self, arguments: list[str], port: int | None = None) -> Iterator[Process]:
        """Run a command in a new process; none of its processes outlives the block."""
        environment: Mapping[str, str] = self.world.environment(port)
        process = Process(self.name, [*arguments, *QUIET], dict(environment))
        try:
            yield process
        finally:
            self.signal("all", signal.SIGCONT)
            process.kill()

    def strike(self, process: Process, victim: str) -> None:
        """Kill the victim, or stop all processes of the run."""
        if victim == "stopped":
            self.signal("all", signal.SIGSTOP)
        elif victim == "driver":
            process.kill_driver()
        else:
            self.signal(victim, signal.SIGKILL)

    def signal(self, victim: str, number: signal.Signals) -> None:
        """Send a signal to the JVM, the Python workers, or all processes of the run in its own."""
        if victim == "workers":
            processes = workers_of(self.name)
        else:
            processes = processes_of(self.name, JVM if victim == "jvm" else "")
        for pid in processes:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
