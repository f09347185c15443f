"""Signals at each stage of a load: one line, the exit code of the signal, and nothing left."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from loader.report.status import statuses
from loader.settings import Settings
from sandbox import Sandbox
from tests.faults.world import Outcome
from tests.support.holding_proxies import HoldingProxy
from tests.support.marked_processes import kill, mark, processes_of
from tests.support.projects import export, project
from tests.support.receivers import receiver
from tests.support.relations import one_row_per_user

pytestmark = pytest.mark.integration

RELATION = "analytics.signal_items"
USERS = 2000
EXPORTS = ("first", "second")
RANGE = b'WHERE "partition_id"'


@pytest.fixture(scope="module", autouse=True)
def _data(sandbox: Sandbox, spark: SparkSession) -> None:
    """The session has fetched the driver, so that no load prints that it does."""
    one_row_per_user(sandbox, RELATION, USERS)


@dataclass
class Load:
    """A load of two exports in a process group of its own, as a terminal starts it."""

    sandbox: Sandbox
    folder: Path
    case: str
    storage: str = ""
    variables: dict[str, str] = field(default_factory=dict)
    process: Any = None

    def __post_init__(self) -> None:
        exports = {name: export(f"{self.case}_{name}", partitions=4) for name in EXPORTS}
        self.project = project(self.folder / "project", exports, RELATION)
        self.storage = self.storage or str(self.folder / "storage")
        (self.folder / "temporary").mkdir()

    @contextmanager
    def started(self) -> Iterator[Any]:
        command = ["load", *self.project.arguments, "--storage", self.storage, "--create-table"]
        # Small, so that an apply has several requests after the first one.
        command += ["--queries", "2", "--requests", "1", "--spark-conf", "spark.ui.enabled=false"]
        environment = os.environ | self.sandbox.env() | self.variables
        environment |= {**mark(self.case), "TMPDIR": str(self.folder / "temporary")}
        self.process = subprocess.Popen(
            [str(Path(sys.executable).with_name("loader")), *command],
            cwd=self.folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        try:
            yield self.process
        finally:
            self.process.kill()
            kill(processes_of(self.case))

    def interrupt(self) -> None:
        """Press Ctrl-C: the terminal sends SIGINT to each process of the group."""
        os.killpg(self.process.pid, signal.SIGINT)

    def wait(self) -> Outcome:
        out, err = self.process.communicate(timeout=60)
        return Outcome(self.process.returncode, out, err)

    def left(self) -> list[str]:
        """Processes, and files: sorted, and without the number of a run.

        Without the log and the storage's lock of an export, an empty file.
        """
        files = [
            str(path.relative_to(self.folder))
            for name in ("storage", "temporary")
            for path in (self.folder / name).rglob("*")
            if path.is_file() and path.name not in ("spark.log", ".versions.lock")
        ]
        names = {re.sub(r"runs/[^/]+", "runs/N", file) for file in files}
        return sorted(names) + [f"process {pid}" for pid in processes_of(self.case)]


def ports(**proxies: HoldingProxy) -> dict[str, str]:
    return {
        name: f"http://127.0.0.1:{proxy.port}" if "URL" in name else str(proxy.port)
        for name, proxy in proxies.items()
    }


def last_lines(outcome: Outcome) -> list[str]:
    """Standard error without the lines of the steps."""
    return [
        line for line in outcome.err.splitlines() if not re.match(r"(plan|limit|apply)  ", line)
    ]


def test_ctrl_c_while_spark_starts_leaves_nothing(sandbox: Sandbox, tmp_path: Path) -> None:
    with HoldingProxy(sandbox.settings.dynamodb_port, b"DescribeTable") as proxy:
        variables = ports(AWS_ENDPOINT_URL_DYNAMODB=proxy)
        load = Load(sandbox, tmp_path, "signal_start", variables=variables)
        with load.started():
            proxy.wait()
            load.interrupt()
            outcome = load.wait()

            assert outcome == Outcome(130, "", "interrupted: nothing was written\n")
            assert load.left() == []


def test_ctrl_c_twice_during_a_plan_leaves_nothing(sandbox: Sandbox, tmp_path: Path) -> None:
    # The queries of the second export: the first one is planned.
    with HoldingProxy(sandbox.settings.redshift_port, RANGE, after=2) as proxy:
        variables = ports(REDSHIFT_PORT=proxy)
        load = Load(sandbox, tmp_path, "signal_plan", variables=variables)
        with load.started():
            proxy.wait()
            load.interrupt()
            load.interrupt()
            outcome = load.wait()

            assert (outcome.code, outcome.out) == (130, "")
            assert last_lines(outcome) == ["interrupted: nothing was written"], outcome.err
            assert load.left() == []


def test_sigterm_during_an_apply_names_the_command_that_writes_the_rest(
    sandbox: Sandbox, tmp_path: Path, items: Callable[[str], list[dict[str, Any]]]
) -> None:
    batches = HoldingProxy(sandbox.settings.dynamodb_port, rb"\.BatchWriteItem", after=20)
    with batches as proxy, receiver() as webhook:
        variables = ports(AWS_ENDPOINT_URL_DYNAMODB=proxy)
        variables["LOADER_NOTIFY_URL"] = f"{webhook.url}/signals"
        load = Load(sandbox, tmp_path, "signal_apply", variables=variables)
        with load.started() as process:
            proxy.wait()
            process.terminate()
            outcome = load.wait()

            resume = ["resume", "first", "--storage", load.storage]
            assert (outcome.code, outcome.out) == (143, "")
            assert last_lines(outcome) == [
                "interrupted: table signal_apply_first may have some changes of export first. "
                f"Write the others: `loader {' '.join(resume)}`; "
                "nothing was written for export second"
            ], outcome.err
            left = {name.removeprefix("storage/first/") for name in load.left()}
            assert {re.sub(r"^(runs/N/[^/]*).*", r"\1", name) for name in left} <= {
                *("current.json", "newest_build.json"),
                *(f"runs/N/{name}" for name in ("plan.json", "applied", "changes", "state")),
                *("runs/N/rejects", "runs/N/rejects.jsonl"),
            }

    (body,) = webhook.bodies("/signals")
    notified = json.loads(body)
    first, second = notified["exports"]
    assert (notified["outcome"], notified["exit_code"]) == ("interrupted", 143)
    assert (first["export"], first["next_command"]) == ("first", f"loader {' '.join(resume)}")
    assert second["next_command"].startswith("loader load --export second --project-dir ")
    written = {item["user_id"] for item in items("signal_apply_first")}
    (status,) = statuses(Settings(storage=str(load.storage)), "first", list_doubts=True)
    (run,) = status.unfinished
    resumed = subprocess.run(
        [str(Path(sys.executable).with_name("loader")), *resume, "--json"],
        env=os.environ | sandbox.env(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert 0 < len(written) < USERS
    assert (status.is_good, status.lock, status.state) == (False, None, None)
    assert run.in_doubt > 0
    assert run.written + run.not_acknowledged + run.in_doubt == USERS
    listed = [json.loads(line)["key"] for line in Path(run.listed_in).read_text().splitlines()]
    assert len(listed) == run.in_doubt
    assert run.keys[0] == f'"user_id":{json.dumps(listed[0]["user_id"], separators=(",", ":"))}'
    assert status.next_command == f"loader {' '.join(resume)}"
    assert resumed.returncode == 0, resumed.stderr
    report = json.loads(resumed.stdout)
    assert (report["put"], report["serial"], report["mismatch"]) == (USERS, 1, [])
    (status,) = statuses(Settings(storage=str(load.storage)), "first")
    assert (status.is_good, status.unfinished) == (True, [])
    assert (Path(load.storage) / "first/index.html").exists()
    users = {item["user_id"] for item in items("signal_apply_first")}
    assert users == {f"u{n}" for n in range(1, USERS + 1)}


def test_ctrl_c_while_a_report_is_saved_waits_for_it(
    sandbox: Sandbox, s3: Any, tmp_path: Path
) -> None:
    s3.create_bucket(Bucket="signals")
    with HoldingProxy(sandbox.settings.dynamodb_port, rb"(PUT|POST) \S+/report\.json") as proxy:
        variables = ports(AWS_ENDPOINT_URL_S3=proxy)
        load = Load(sandbox, tmp_path, "signal_report", "s3://signals/x", variables)
        with load.started():
            proxy.wait()
            load.interrupt()
            proxy.release()
            outcome = load.wait()

            assert (outcome.code, outcome.out.split(" in ")[0]) == (130, "first   complete")
            assert last_lines(outcome) == [
                "interrupted: export first had ended; nothing was written for export second"
            ], outcome.err
            assert load.left() == []
    names = {entry["Key"] for entry in s3.list_objects_v2(Bucket="signals")["Contents"]}
    names = {re.sub(r"runs/[^/]+", "runs/N", name) for name in names if name[-1] != "/"}
    assert {name for name in names if "/state/" not in name} == {
        "x/first/current.json",
        "x/first/index.html",
        "x/first/newest_build.json",
        *(
            f"x/first/runs/N/{name}"
            for name in (
                *("plan.json", "committed.json", "rejects.jsonl", "report.html", "report.json"),
            )
        ),
    }
