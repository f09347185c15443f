"""The world of a fault: a warehouse, a table that is out of date, and the loader between them."""

# ruff: noqa: S608  the names of relations in the SQL are constants of this file

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import patch

from loader import cli
from loader.dynamodb.identity import identity
from loader.dynamodb.table import describe, endpoint
from loader.errors import INTERRUPTED
from loader.storage.location import Location
from sandbox import Sandbox
from tests.support.marked_processes import kill, mark, processes_of
from tests.support.projects import Project, export, project
from tests.support.sandboxes import execute, reader
from tests.support.states import write_state
from tests.support.tables import create_table, items_of_users

USERS, ROWS, PARTITIONS = 600, 6, 24
UNCHANGED = USERS // 6
GONE = [f"g{n}" for n in range(15)]  # users that the table has and the model has not
VIEW = "analytics.fault_items"
DATA = f"""
create schema if not exists analytics;
drop table if exists {VIEW} cascade;
create table {VIEW} as
select 'u' || u as user_id, u % {PARTITIONS} as partition_id, n as line_number,
    repeat(md5(u || '-' || n), 25) as item_id, now()::timestamp as purchased_at
from generate_series(1, {USERS}) as u, generate_series(1, {ROWS}) as n
"""
TRUTH = f"""
select user_id, string_agg(item_id, ',' order by line_number) from {VIEW} group by user_id
"""
# Small enough that a case takes seconds: 4 tasks with 2 requests each, in 3 or 4 slices.
SIZES = ["--queries", "4", "--requests", "2", "--retry-seconds", "6"]
# The next command waits until the lock of a killed one has expired.
SHORT_LOCK = ["--lock-seconds", "6"]

Items = dict[str, list[str]]


@dataclass
class Outcome:
    """The outcome of a command of the loader."""

    code: int
    out: str
    err: str


@dataclass
class World:
    """A sandbox with the data, and the expected items; the cases write into `folder`."""

    sandbox: Sandbox
    folder: Path
    truth: Items = field(init=False)

    def __post_init__(self) -> None:
        execute(self.sandbox, DATA)
        self.truth = {user: items.split(",") for user, items in execute(self.sandbox, TRUTH)}
        self.credentials = self.folder / "credentials"
        self.renew_credentials("first")
        self.dynamodb: Any = reader(self.sandbox, "dynamodb")

    def renew_credentials(self, key_id: str) -> None:
        text = f"[default]\naws_access_key_id = {key_id}\naws_secret_access_key = sandbox\n"
        new = self.credentials.with_suffix(".new")
        new.write_text(text)
        new.replace(self.credentials)

    def environment(self, ports: Mapping[str, int] | None = None) -> dict[str, str]:
        """The sandbox's environment with credentials in a file; `ports` are those of proxies."""
        environment = self.sandbox.env()
        del environment["AWS_ACCESS_KEY_ID"], environment["AWS_SECRET_ACCESS_KEY"]
        environment["AWS_SHARED_CREDENTIALS_FILE"] = str(self.credentials)
        environment["AWS_EC2_METADATA_DISABLED"] = "true"
        for name, port in (ports or {}).items():
            url = name == "AWS_ENDPOINT_URL_DYNAMODB"
            environment[name] = f"http://127.0.0.1:{port}" if url else str(port)
        return environment

    def place(self, name: str) -> Place:
        """A new export, whose table has old items of a third of the users, the items of a sixth as
        they are now, and users that left.

        Its state has them, as an earlier load would have written it.
        """
        create_table(self.dynamodb, name)
        users = list(self.truth)
        before = {user: ["old"] for user in [*users[::3], *GONE]}
        before |= {user: self.truth[user] for user in users[1::6]}
        puts = [
            {"PutRequest": {"Item": {"user_id": {"S": user}, "items": {"L": _elements(items)}}}}
            for user, items in before.items()
        ]
        for first in range(0, len(puts), 25):
            self.dynamodb.batch_write_item(RequestItems={name: puts[first : first + 25]})
        settings = export(name, partitions=PARTITIONS)
        place = Place(self, name, project(self.folder / name, {name: settings}, VIEW))
        self._commit(place, before)
        return place

    def _commit(self, place: Place, before: Items) -> None:
        """Write the state of a table that has these items."""
        partitions: list[dict[str, str]] = [{} for _ in range(PARTITIONS)]
        for user, items in before.items():
            key, elements = f'"user_id":{{"S":"{user}"}}', json.dumps(_elements(items))
            item = f',"items":{{"L":{elements.replace(" ", "")}}}'
            partitions[int(user[1:]) % PARTITIONS][key] = item
        table = describe(self.dynamodb, place.name)
        known = identity(endpoint(self.dynamodb, place.name), table)
        folder = Location(place.project.storage[1]) / place.name
        write_state(folder, known, [("user_id", "S")], partitions)


def _elements(items: list[str]) -> list[dict[str, str]]:
    return [{"S": item} for item in items]


@dataclass
class Place:
    """One export, its project and its table."""

    world: World
    name: str
    project: Project

    @property
    def load(self) -> list[str]:
        return ["load", *self.project.arguments, *self.project.storage, *SIZES]

    @property
    def resume(self) -> list[str]:
        return ["resume", self.name, *self.project.storage]

    @contextmanager
    def process(self, arguments: list[str], environment: dict[str, str]) -> Iterator[Process]:
        """Run a command in a new process; none of its processes outlives the block."""
        process = Process(self.name, arguments, environment)
        try:
            yield process
        finally:
            process.kill()

    def items(self) -> Items:
        return items_of_users(self.world.dynamodb, self.name)

    def run_folder(self) -> Path | None:
        """The folder of the newest run; None if a failed plan has removed it."""
        runs = self.project.folder / "runs" / self.name / "runs"
        return max(runs.iterdir(), default=None) if runs.exists() else None

    def is_writing_changes(self) -> bool:
        """Whether a plan task is writing a file of the changeset."""
        folder = self.run_folder()
        return bool(folder and list(folder.glob("changes/.*")))

    def report(self) -> dict[str, Any]:
        folder = self.run_folder()
        file = folder / "report.json" if folder else None
        return dict(json.loads(file.read_text())) if file and file.exists() else {}

    def named(self) -> set[str]:
        """The keys of rejects.jsonl."""
        folder = self.run_folder()
        if folder is None or not (folder / "rejects.jsonl").exists():
            return set()
        lines = map(json.loads, (folder / "rejects.jsonl").read_text().splitlines())
        return {line["key"]["user_id"]["S"] for line in lines if line["key"]}


def run(arguments: list[str], environment: dict[str, str]) -> Outcome:
    """Run a command of the loader in this process, with the shared Spark session."""
    out, err = io.StringIO(), io.StringIO()
    with (
        patch.dict(os.environ, environment),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        try:
            code = cli.main(arguments)
        except SystemExit as wrong_usage:
            raise AssertionError(err.getvalue()) from wrong_usage
    if code == INTERRUPTED:
        raise KeyboardInterrupt
    return Outcome(code, out.getvalue(), err.getvalue())


class Process:
    """The loader and the processes that it starts, which a variable of their environment marks."""

    def __init__(
        self, case: str, arguments: list[str], environment: dict[str, str], module: str = "loader"
    ) -> None:
        self.case = case
        self._process = subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            env=os.environ | environment | mark(case),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    @property
    def is_running(self) -> bool:
        return self._process.poll() is None

    def kill_driver(self) -> None:
        self._process.kill()

    def wait_for_driver(self) -> None:
        self._process.wait()

    def wait(self) -> Outcome:
        """The outcome, after the last of its processes has ended; the code is 137 after SIGKILL."""
        out, err = self._process.communicate(timeout=180)
        deadline = time.monotonic() + 60
        while processes_of(self.case) and time.monotonic() < deadline:
            time.sleep(0.05)
        code = self._process.returncode
        return Outcome(code if code >= 0 else 128 - code, out, err)

    def kill(self) -> None:
        self._process.kill()
        self._process.communicate()
        kill(processes_of(self.case))
