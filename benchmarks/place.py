"""Where the cases run: a sandbox and a sink of the benchmarks' own, and a folder for each run."""

import fcntl
import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from psycopg2.extensions import connection as Connection

from benchmarks import sink as sinks
from benchmarks.accounts import Account, account, children
from benchmarks.errors import BenchmarkError
from benchmarks.measure import Usage, environment, run
from sandbox import Sandbox, Settings
from sandbox.redshift.postgres import PostgreSQL
from sandbox.settings import DATABASE, REPOSITORY

FOLDER = REPOSITORY / ".sandbox-bench"


@dataclass(frozen=True)
class Place:
    """The services that are up while the benchmarks run."""

    folder: Path
    sandbox: Sandbox
    sink: sinks.Sink
    warehouse: Account
    shim: Account

    @property
    def changesets(self) -> Path:
        """Changesets planned in this run: those of another may be of another version's form."""
        return self.folder / "changesets"

    def connect(self) -> Connection:
        """A superuser's session straight to PostgreSQL: the shim would slow down the set-up."""
        return PostgreSQL(self.sandbox.settings).connect(DATABASE)

    def run(self, command: Sequence[str], folder: Path) -> Usage:
        """Run a command against the warehouse and the sink; its files go to the folder."""
        folder.mkdir(parents=True, exist_ok=True)
        env = self.sandbox.env() | {
            "AWS_ENDPOINT_URL_DYNAMODB": self.sink.url,
            "PYSPARK_PYTHON": sys.executable,
            "SPARK_LOCAL_IP": "127.0.0.1",
        }
        return run(command, environment(env), folder / "stderr.log")


@contextmanager
def opened(folder: Path = FOLDER) -> Iterator[Place]:
    """The services for as long as the block lasts; the warehouse keeps its data for the next."""
    folder.mkdir(mode=0o700, exist_ok=True)
    with _alone(folder):
        yield from _services(folder)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Raises BenchmarkError while another run uses the folder: each would stop the other's."""
    with (folder / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BenchmarkError(
                f"benchmarks must run one at a time, got another run in {folder}: wait for its end"
            ) from None
        yield


def _services(folder: Path) -> Iterator[Place]:
    for old in ("changesets", "runs"):
        shutil.rmtree(folder / old, ignore_errors=True)
    sandbox = Sandbox(Settings.on_free_ports(folder / "sandbox"))
    with ExitStack() as stack:
        stack.callback(sandbox.down)
        sandbox.down()  # what a killed run left behind
        sandbox.up()
        pids = {service.name: service.pid or 0 for service in sandbox.status()}
        yield Place(
            folder,
            sandbox,
            stack.enter_context(sinks.running(folder)),
            stack.enter_context(_account_of("warehouse", pids["postgres"])),
            stack.enter_context(_account_of("shim", pids["redshift"])),
        )


@contextmanager
def _account_of(name: str, pid: int) -> Iterator[Account]:
    with account(name) as its:
        for each in [pid, *children(pid)]:
            its.enter(each)
        yield its
