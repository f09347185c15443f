"""The services that the cases use: a sandbox and a sink, separate from those of the user."""

import fcntl
import shutil
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from psycopg2.extensions import connection as Connection

from benchmarks import sink as sinks
from benchmarks.cpu_time import CpuMeter, children, cpu_meter
from benchmarks.errors import BenchmarkError
from benchmarks.usage import Usage, environment, run
from sandbox import Sandbox, Settings
from sandbox.redshift.postgres import PostgreSQL
from sandbox.settings import DATABASE, REPOSITORY

FOLDER = REPOSITORY / ".sandbox-bench"


@dataclass(frozen=True)
class Services:
    """The running services, and the CPU meters of the warehouse and the shim.

    `model` is a second sink: it gets the items that a table must have.
    """

    folder: Path
    sandbox: Sandbox
    sink: sinks.Sink
    model: sinks.Sink
    warehouse: CpuMeter
    shim: CpuMeter

    @property
    def changesets(self) -> Path:
        """The changesets planned in this run; those of an earlier run can have another format."""
        return self.folder / "changesets"

    @property
    def storage(self) -> Path:
        """The storage of the loads that keep their state."""
        return self.folder / "storage"

    def contents(self, puts: Iterable[dict[str, Any]]) -> sinks.Contents:
        """The contents of a table with these items."""
        self.model.clear()
        self.model.write(puts)
        return self.model.counts().contents

    def connect(self) -> Connection:
        """Connect as a superuser, without the shim, which would slow down the setup."""
        return PostgreSQL(self.sandbox.settings).connect(DATABASE)

    def run(self, command: Sequence[str], folder: Path) -> Usage:
        """Run a command with the warehouse and the sink; its files go to the folder."""
        folder.mkdir(parents=True, exist_ok=True)
        env = self.sandbox.env() | {
            "AWS_ENDPOINT_URL_DYNAMODB": self.sink.url,
            "PYSPARK_PYTHON": sys.executable,
            "SPARK_LOCAL_IP": "127.0.0.1",
        }
        return run(command, environment(env), folder / "stderr.log")


@contextmanager
def running(folder: Path = FOLDER) -> Iterator[Services]:
    """Start the services for a block; the warehouse keeps its data for the next run."""
    folder.mkdir(mode=0o700, exist_ok=True)
    with _lock(folder):
        yield from _started(folder)


@contextmanager
def _lock(folder: Path) -> Iterator[None]:
    """Hold the lock of the folder; raises BenchmarkError if another run has it."""
    with (folder / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BenchmarkError(
                f"benchmarks must run one at a time, got another run in {folder}: "
                "wait until it ends"
            ) from None
        yield


def _started(folder: Path) -> Iterator[Services]:
    for name in ("changesets", "runs", "storage"):
        shutil.rmtree(folder / name, ignore_errors=True)
    sandbox = Sandbox(Settings.on_free_ports(folder / "sandbox"))
    with ExitStack() as stack:
        stack.callback(sandbox.down)
        sandbox.down()  # processes that a killed run left
        sandbox.up()
        pids = {service.name: service.pid or 0 for service in sandbox.status()}
        yield Services(
            folder,
            sandbox,
            stack.enter_context(sinks.running(folder)),
            stack.enter_context(sinks.running(folder)),
            stack.enter_context(_meter_of("warehouse", pids["postgres"])),
            stack.enter_context(_meter_of("shim", pids["redshift"])),
        )


@contextmanager
def _meter_of(name: str, pid: int) -> Iterator[CpuMeter]:
    with cpu_meter(name) as meter:
        for process in [pid, *children(pid)]:
            meter.add(process)
        yield meter
