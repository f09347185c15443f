"""One command run to its end, and what it and all its processes used."""

import itertools
import os
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.accounts import Account, account, cpu_seconds, parent
from benchmarks.threads import Threads

SAMPLE_SECONDS = 0.05
# A JVM has a hundred threads: reading them as often would take a tenth of a core.
THREADS_EVERY = 5
# The JVM may outlive the driver by the time it needs to shut down.
LEFT_SECONDS = 15


@dataclass
class Usage:
    """CPU seconds and peak resident megabytes of a command, by kind of process.

    `worker_cpu` is what neither the JVM nor the driver used: the Python workers and the daemon
    that they are forked from.
    """

    code: int = 0
    wall: float = 0.0
    cpu: float = 0.0
    jvm_cpu: float = 0.0
    driver_cpu: float = 0.0
    jvm_mb: float = 0.0
    worker_mb: float = 0.0
    method: str = ""
    jvm_threads: dict[str, float] = field(default_factory=dict)
    out: str = field(default="", repr=False)
    log: Path = Path()

    @property
    def worker_cpu(self) -> float:
        return max(0.0, self.cpu - self.jvm_cpu - self.driver_cpu)


def run(command: Sequence[str], env: Mapping[str, str], log: Path) -> Usage:
    """Run a command in an account of its own; its standard error goes to the log."""
    with account("case") as its, log.open("wb") as stderr:
        began = time.monotonic()
        # The shell waits for a line, so that no CPU is used before the account is entered.
        process = subprocess.Popen(
            ["/bin/sh", "-c", 'read -r _ && exec "$@"', "sh", *command],
            env={**env},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
            start_new_session=True,
        )
        its.enter(process.pid)
        with _Sampler(its, process.pid) as sampler:
            try:
                out, _ = process.communicate(b"\n")
            except BaseException:
                os.killpg(process.pid, signal.SIGKILL)
                raise
            wall = time.monotonic() - began
            deadline = time.monotonic() + LEFT_SECONDS
            while its.pids() and time.monotonic() < deadline:
                time.sleep(SAMPLE_SECONDS)
        usage = sampler.usage()
        usage.code, usage.wall, usage.cpu = process.returncode, wall, its.seconds()
        usage.method, usage.out, usage.log = its.method, out.decode(), log
    return usage


class _Sampler:
    """Reads /proc while the command runs: the split of the CPU, and the peaks of memory."""

    def __init__(self, of: Account, root: int) -> None:
        self._account, self._root = of, root
        self._cpu: dict[tuple[str, int], float] = {}
        self._peak = {"jvm": 0.0, "driver": 0.0, "worker": 0.0, "other": 0.0}
        self._threads = Threads()
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._loop, daemon=True)

    def __enter__(self) -> "_Sampler":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def usage(self) -> Usage:
        by_kind = dict.fromkeys(self._peak, 0.0)
        for (kind, _), seconds in self._cpu.items():
            by_kind[kind] += seconds
        return Usage(
            jvm_cpu=by_kind["jvm"],
            driver_cpu=by_kind["driver"],
            jvm_mb=self._peak["jvm"],
            worker_mb=self._peak["worker"],
            jvm_threads=self._threads.by_purpose(),
        )

    def _loop(self) -> None:
        for number in itertools.count():
            if self._done.wait(SAMPLE_SECONDS):
                return
            self._account.seconds()  # an account that samples does it here
            for pid in self._account.pids():
                kind = self._kind(pid)
                self._cpu[kind, pid] = max(self._cpu.get((kind, pid), 0.0), cpu_seconds(pid))
                self._peak[kind] = max(self._peak[kind], _peak_mb(pid))
                if kind == "jvm" and number % THREADS_EVERY == 0:
                    self._threads.sample(pid)

    def _kind(self, pid: int) -> str:
        try:
            name = Path(f"/proc/{pid}/comm").read_text().strip()
        except OSError:
            return "other"
        if name == "java":
            return "jvm"
        if pid == self._root:
            return "driver"
        # A child that the driver has forked and that has not yet become another program
        # still looks like the driver.
        return "worker" if name.startswith("python") and parent(pid) != self._root else "other"


def _peak_mb(pid: int) -> float:
    try:
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
    except OSError:
        return 0.0
    return 0.0


def environment(extra: Mapping[str, str]) -> dict[str, str]:
    """The caller's environment without settings that would change a measured command."""
    foreign = ("AWS_", "REDSHIFT_", "SPARK_", "PYSPARK_", "DBT_", "MASTER", "PYTHONPATH")
    return {k: v for k, v in os.environ.items() if not k.startswith(foreign)} | dict(extra)
