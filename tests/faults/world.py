"""What a fault is tried on: a warehouse, a table that is out of date, a loader between them."""

# ruff: noqa: S608  the names of relations in the SQL are constants of this file

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import patch

import boto3

from loader import cli
from sandbox import Sandbox
from tests.support.projects import Project, export, project

USERS, ROWS, PARTITIONS = 600, 6, 24
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
MARK = "FAULT_CASE"

Items = dict[str, list[str]]


@dataclass
class Outcome:
    """What a command of the loader gave."""

    code: int
    out: str
    err: str


@dataclass
class World:
    """A sandbox with the data, and the truth; `folder` holds all that the cases leave."""

    sandbox: Sandbox
    folder: Path
    truth: Items = field(init=False)

    def __post_init__(self) -> None:
        with closing(self.sandbox.connect()) as session, session, session.cursor() as cursor:
            cursor.execute(DATA)
            cursor.execute(TRUTH)
            self.truth = {user: items.split(",") for user, items in cursor.fetchall()}
        self.credentials = self.folder / "credentials"
        self.renew_credentials("first")
        self.dynamodb: Any = boto3.client(
            "dynamodb",
            endpoint_url=self.sandbox.env()["AWS_ENDPOINT_URL_DYNAMODB"],
            region_name="us-east-1",
            aws_access_key_id="reader",
            aws_secret_access_key="reader",  # noqa: S106
        )

    def renew_credentials(self, key_id: str) -> None:
        text = f"[default]\naws_access_key_id = {key_id}\naws_secret_access_key = sandbox\n"
        new = self.credentials.with_suffix(".new")
        new.write_text(text)
        new.replace(self.credentials)

    def environment(self, ports: Mapping[str, int] | None = None) -> dict[str, str]:
        """The sandbox's, with credentials in a file; through proxies where `ports` names them."""
        environment = self.sandbox.env()
        del environment["AWS_ACCESS_KEY_ID"], environment["AWS_SECRET_ACCESS_KEY"]
        environment["AWS_SHARED_CREDENTIALS_FILE"] = str(self.credentials)
        environment["AWS_EC2_METADATA_DISABLED"] = "true"
        for name, port in (ports or {}).items():
            url = name == "AWS_ENDPOINT_URL_DYNAMODB"
            environment[name] = f"http://127.0.0.1:{port}" if url else str(port)
        return environment

    def place(self, name: str) -> Place:
        """An export of its own, whose table has a third of the items as they were once."""
        self.dynamodb.create_table(
            TableName=name,
            KeySchema=[{"AttributeName": "user_id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "user_id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        old = [
            {"PutRequest": {"Item": {"user_id": {"S": user}, "items": {"L": [{"S": "old"}]}}}}
            for user in list(self.truth)[::3]
        ]
        for first in range(0, len(old), 25):
            self.dynamodb.batch_write_item(RequestItems={name: old[first : first + 25]})
        settings = export(name, partitions=PARTITIONS)
        return Place(self, name, project(self.folder / name, {name: settings}, VIEW))


@dataclass
class Place:
    """One export, its project and its table."""

    world: World
    name: str
    project: Project

    @property
    def load(self) -> list[str]:
        return ["load", *self.project.arguments, *self.project.storage, *SIZES]

    def run(self, arguments: list[str], environment: dict[str, str]) -> Outcome:
        """A command in this process, on the Spark session that is there."""
        out, err = io.StringIO(), io.StringIO()
        with (
            patch.dict(os.environ, environment),
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
        ):
            code = cli.main(arguments)
        if code == cli.INTERRUPTED:
            raise KeyboardInterrupt
        return Outcome(code, out.getvalue(), err.getvalue())

    @contextmanager
    def process(self, arguments: list[str], environment: dict[str, str]) -> Iterator[Process]:
        """A command in a process of its own; none of its processes outlives the block."""
        process = Process(self.name, arguments, environment)
        try:
            yield process
        finally:
            process.kill()

    def items(self) -> Items:
        pages = self.world.dynamodb.get_paginator("scan").paginate(TableName=self.name)
        return {
            item["user_id"]["S"]: [element["S"] for element in item["items"]["L"]]
            for page in pages
            for item in page["Items"]
        }

    def run_folder(self) -> Path | None:
        """The folder of the newest run; None where a failed plan has removed it."""
        runs = self.project.folder / "runs" / self.name / "runs"
        found = sorted(runs.iterdir()) if runs.exists() else []
        return found[-1] if found else None

    def is_writing_changes(self) -> bool:
        """Whether a plan task is in the middle of a file of the changeset."""
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


class Process:
    """The loader as a process, with the processes that it starts: known by their environment."""

    def __init__(self, case: str, arguments: list[str], environment: dict[str, str]) -> None:
        self.case = case
        self._process = subprocess.Popen(
            [sys.executable, "-m", "loader", *arguments],
            env=os.environ | environment | {MARK: case},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def kill_driver(self) -> None:
        self._process.kill()

    def wait(self) -> Outcome:
        """The outcome, when the last of its processes has ended; a killed one's code is 137."""
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


def processes_of(case: str, program: str = "") -> list[int]:
    """The processes whose environment has the case's mark, and whose command has the program."""
    mark = re.compile(rf"(^|\0){MARK}={re.escape(case)}(\0|$)")
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            marked = mark.search((process / "environ").read_text(errors="replace"))
            if marked and program in (process / "cmdline").read_text(errors="replace"):
                found.append(int(process.name))
        except OSError:
            continue  # ended meanwhile, or another account's
    return found


def workers_of(case: str) -> list[int]:
    """Spark's Python workers: the children of its daemon."""
    forks = processes_of(case, "-m\0loader.worker_daemon")
    return [pid for pid in forks if _parent(pid) in forks]


def _parent(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0


def kill(processes: list[int]) -> None:
    for pid in processes:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
