"""The world of a case: a model, its table, and a driver that runs the loader on a cluster."""

# ruff: noqa: S608  the names of relations in the SQL are constants of this file

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from loader.spark.jars import jar_settings
from loader.warehouse.connection import DRIVERS
from sandbox import Sandbox
from tests.cluster.driver import Process
from tests.cluster.environments import Environment
from tests.cluster.forwarding import Forward
from tests.cluster.spark import SHORT_LIVED, Cluster, java_home
from tests.crash.moments import Moment, strike_at_file, watched
from tests.faults.world import Outcome
from tests.support.projects import Project, export, project
from tests.support.sandboxes import execute, reader

USERS, ROWS, PARTITIONS = 800, 2, 16
BUCKET = "cluster"
# A part of every text in the rows; files of workers must not have it.
MARK = "row-of-a-user-"
# Short waits: a lock expires after 6 s, and a task that has lost its driver stops after 1 s.
WRITING = ["--lock-seconds", "6", "--requests", "2", "--retry-seconds", "20"]
# More queries than the cluster has slots, so that a plan has tasks that have not begun.
QUERIES = ["--queries", "8"]
QUICK = {
    "spark.ui.enabled": "false",
    "spark.driver.defaultJavaOptions": SHORT_LIVED,
    "spark.executor.defaultJavaOptions": SHORT_LIVED,
}
# As docs/run-on-a-cluster.md has it.
SCRIPT = "import sys\n\nfrom loader.cli import main\n\nsys.exit(main())\n"

ITEMS = {"items": {"column": "item_id", "order_by": ["line_number"]}}
# Executors come when tasks wait, and go when they are idle.
DYNAMIC = {
    **QUICK,
    "spark.dynamicAllocation.enabled": "true",
    "spark.dynamicAllocation.executorIdleTimeout": "2s",
    "spark.executor.cores": "2",
}
# An executor is lost after 10 s without a sign of life, not after 2 minutes.
IMPATIENT = {
    **QUICK,
    "spark.network.timeout": "10s",
    "spark.network.timeoutInterval": "2s",
    "spark.executor.heartbeatInterval": "2s",
}
LISTS = {**ITEMS, "lines": {"column": "line_number", "order_by": ["line_number"]}}

# The lists of each user by the name of their attribute.
Items = dict[str, dict[str, list[str]]]


@dataclass
class World:
    """A sandbox, a cluster, and the environment of drivers.

    `folder` is the drivers', which workers do not see; `shared` is a folder of all hosts.
    """

    sandbox: Sandbox
    cluster: Cluster
    driver: Environment
    folder: Path
    shared: Path
    warehouse: Forward
    aws: Forward

    def __post_init__(self) -> None:
        self.execute("create schema if not exists analytics")
        self.dynamodb = reader(self.sandbox, "dynamodb")
        reader(self.sandbox, "s3").create_bucket(Bucket=BUCKET)
        self.script.write_text(SCRIPT)
        self.jars = jar_settings([DRIVERS["redshift"]], {}, self.folder)

    @property
    def script(self) -> Path:
        return self.folder / "load.py"

    def execute(self, sql: str) -> list[tuple[Any, ...]]:
        return execute(self.sandbox, sql)

    def environment(self) -> dict[str, str]:
        """The environment of a driver: the servers at the addresses that executors reach."""
        return {
            "PATH": self.driver.search_path,
            "HOME": os.environ["HOME"],
            **java_home(),
            **self.sandbox.env(),
            "REDSHIFT_HOST": self.warehouse.address,
            "REDSHIFT_PORT": str(self.warehouse.port),
            "AWS_ENDPOINT_URL_DYNAMODB": self.aws.url,
            "AWS_ENDPOINT_URL_S3": self.aws.url,
        }


@contextmanager
def running_world(
    sandbox: Sandbox, cluster: Cluster, driver: Environment, folder: Path
) -> Iterator[World]:
    """A world whose servers the hosts reach; `folder` is the drivers' and has their files."""
    shared = folder.with_name("shared")
    shared.mkdir()
    settings = sandbox.settings
    with ExitStack() as stack:
        warehouse = stack.enter_context(cluster.forward(settings.redshift_port))
        aws = stack.enter_context(cluster.forward(settings.dynamodb_port))
        yield World(sandbox, cluster, driver, folder, shared, warehouse, aws)


@dataclass
class Place:
    """Exports of one model each, their storage, and their tables.

    `master` is how the driver is given the master: by the option `--spark-conf`, by the variable
    `MASTER`, by `spark-defaults.conf`, or by `spark-submit`.
    """

    world: World
    name: str
    on_s3: bool
    master: str = "--spark-conf"
    collect: dict[str, Any] = field(default_factory=lambda: ITEMS)
    properties: dict[str, str] = field(default_factory=lambda: QUICK)
    project: Project = field(init=False)
    version: int = 0
    runs: int = 0

    def __post_init__(self) -> None:
        settings = export(self.name, partitions=PARTITIONS, collect=self.collect)
        self.project = project(self.folder, {self.name: settings}, self.relation)
        self.world.execute(
            f"create table {self.relation} as select 'u' || u as user_id, "
            f"u % {PARTITIONS} as partition_id, n as line_number, "
            f"'{MARK}' || repeat(md5(u || '-' || n), 80) as item_id "
            f"from generate_series(1, {USERS}) as u, generate_series(1, {ROWS}) as n"
        )

    @property
    def folder(self) -> Path:
        return self.world.folder / self.name

    @property
    def relation(self) -> str:
        return f"analytics.{self.name}"

    @property
    def storage(self) -> str:
        return f"s3://{BUCKET}/{self.name}" if self.on_s3 else str(self.world.shared / self.name)

    def change_model(self) -> None:
        """Change a fifth of the users; a twentieth goes, and as many are new."""
        self.version += 1
        new = f"u % {PARTITIONS}, n, '{MARK}' || repeat(md5(u || '-{self.version}-' || n), 80)"
        self.world.execute(
            f"delete from {self.relation} "
            f"where abs(hashtext(user_id || {self.version})) % 20 = 0; "
            f"update {self.relation} set item_id = '{MARK}' || "
            f"repeat(md5(item_id || {self.version}), 80) "
            f"where abs(hashtext(user_id || {self.version})) % 5 = 1; "
            f"insert into {self.relation} select 'u' || u, {new} "
            f"from generate_series(1, {ROWS}) as n, generate_series({USERS * self.version + 1}, "
            f"{USERS * self.version + USERS // 20}) as u"
        )

    def model(self) -> Items:
        rows = self.world.execute(
            "select user_id, array_agg(item_id order by line_number), "
            "array_agg(cast(line_number as varchar) order by line_number) "
            f"from {self.relation} group by user_id"
        )
        return {
            user: {name: {"items": items, "lines": lines}[name] for name in self.collect}
            for user, items, lines in rows
        }

    def items(self) -> Items:
        pages = self.world.dynamodb.get_paginator("scan").paginate(TableName=self.name)
        return {
            item["user_id"]["S"]: {
                name: [text for element in item[name]["L"] for text in element.values()]
                for name in item.keys() - {"user_id"}
            }
            for page in pages
            for item in page["Items"]
        }

    # ---- commands

    def command(self, verb: str, *arguments: str, storage: str = "") -> list[str]:
        """A command on the export; guards let every delete pass, because here it is meant."""
        storage = storage or self.storage
        command = [verb, *arguments, "--storage", storage, "--allow-plain-http"]
        if verb in ("plan", "load", "verify"):
            command += self.project.arguments
        if verb in ("plan", "load"):
            command += [*QUERIES, "--max-deletes", "100%", "--create-table"]
        if verb in ("apply", "resume"):
            command += ["--create-table"]
        return [*command, *WRITING] if verb in ("load", "apply", "resume") else command

    def start(self, arguments: list[str]) -> Process:
        """Run a command of the loader in a driver of its own."""
        environment, properties = self.world.environment(), self.properties
        program = [str(self.world.driver.python), "-m", "loader"]
        master = self.world.cluster.master
        if self.master == "spark-submit":
            submit = self.world.driver.spark_home / "bin" / "spark-submit"
            environment |= {"PYSPARK_DRIVER_PYTHON": program[0]}
            environment |= self.world.cluster.driver_environment
            properties = {**properties, **self.world.jars}
            confs = [word for pair in properties.items() for word in ("--conf", "=".join(pair))]
            program = [str(submit), "--master", master, *confs, str(self.world.script)]
            properties = {}
        elif self.master == "MASTER":
            environment["MASTER"] = master
        elif self.master == "spark-defaults.conf":
            lines = [f"{name} {value}\n" for name, value in properties.items()]
            (self.folder / self.master).write_text("".join([f"spark.master {master}\n", *lines]))
            environment["SPARK_CONF_DIR"] = str(self.folder)
            properties = {}
        else:
            properties = {**properties, "spark.master": master}
        options = [word for pair in properties.items() for word in ("--spark-conf", "=".join(pair))]
        self.runs += 1
        logs = self.folder / "logs" / str(self.runs)
        logs.mkdir(parents=True)
        return Process([*program, *arguments, *options], environment, logs)

    def run(self, verb: str, *arguments: str, storage: str = "") -> Outcome:
        return self.start(self.command(verb, *arguments, storage=storage)).wait()

    def run_struck(
        self, moment: Moment, strike: Callable[[Process], None], delay: float = 0.0
    ) -> tuple[bool, Outcome]:
        """A load that is struck at the moment, and whether it was; `delay` slows its writes."""
        ready, over = threading.Event(), threading.Event()
        running: list[Process] = []
        outcomes: list[Outcome] = []

        def act() -> None:
            ready.wait()
            strike(running[0])

        def follow() -> None:
            outcomes.append(running[0].wait())
            over.set()

        port = self.world.aws.target
        with watched(port, moment, act, delay) as proxy:
            self.world.aws.target = proxy.port
            try:
                running.append(self.start(self.command("load")))
                ready.set()
                ended = threading.Thread(target=follow, daemon=True)
                ended.start()
                if moment.file:
                    struck = strike_at_file(Path(self.storage), moment, act, over)
                else:
                    struck = proxy.wait(over)
                ended.join()
            except KeyboardInterrupt:
                running[0].kill_machine()
                raise
            finally:
                self.world.aws.target = port
        return struck, outcomes[0]
