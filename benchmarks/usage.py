"""Run a command, and measure the CPU time and memory of all its processes."""

import os
import resource
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.cpu_time import CpuMeter, cpu_meter, cpu_seconds, parent
from benchmarks.sampling import sampling
from benchmarks.threads import command_name, sampled

SAMPLE_SECONDS = 0.05
# After the driver has ended, the JVM needs time to shut down.
SHUTDOWN_SECONDS = 15


@dataclass
class Usage:
    """CPU seconds and peak resident megabytes of a command, by kind of process.

    `worker_cpu` is the rest after the JVM and the driver: the Python workers and their daemon.
    `executor_cpu` is that of executors outside of the command, which `cpu` includes: `compiler`,
    `collector`, `tasks` and `other` threads of their JVMs, and `python`, their workers.
    `filler_cpu` is of processes that only keep cores busy.
    """

    code: int = 0
    wall: float = 0.0
    cpu: float = 0.0
    jvm_cpu: float = 0.0
    driver_cpu: float = 0.0
    filler_cpu: float = 0.0
    jvm_mb: float = 0.0
    worker_mb: float = 0.0
    method: str = ""
    jvm_threads: dict[str, float] = field(default_factory=dict)
    executor_cpu: dict[str, float] = field(default_factory=dict)
    out: str = field(default="", repr=False)
    log: Path = Path()

    @property
    def worker_cpu(self) -> float:
        return max(0.0, self.cpu - self.jvm_cpu - self.driver_cpu)


def run(command: Sequence[str], env: Mapping[str, str], log: Path) -> Usage:
    """Run a command and measure it; its standard error goes to the log."""
    with cpu_meter("case") as meter, log.open("wb") as stderr:
        start, before = time.monotonic(), _children_seconds()
        # The shell waits for a line, so that the command uses no CPU before it is measured.
        process = subprocess.Popen(
            ["/bin/sh", "-c", 'read -r _ && exec "$@"', "sh", *command],
            env={**env},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
            start_new_session=True,
        )
        meter.add(process.pid)
        sampler = _Sampler(meter, process.pid)
        with sampling(sampler.read, SAMPLE_SECONDS), sampled(meter) as threads:
            try:
                out, _ = process.communicate(b"\n")
            except BaseException:
                os.killpg(process.pid, signal.SIGKILL)
                raise
            wall = time.monotonic() - start
            deadline = time.monotonic() + SHUTDOWN_SECONDS
            while meter.pids() and time.monotonic() < deadline:
                time.sleep(SAMPLE_SECONDS)
        usage = sampler.usage()
        # A process tree may miss what a process has used since the last sample. These times have
        # it, but not processes that the command has not waited for.
        waited = _children_seconds() - before
        usage.code, usage.wall = process.returncode, wall
        usage.cpu = max(meter.seconds(), waited)
        usage.method, usage.out, usage.log = meter.method, out.decode(), log
        usage.jvm_threads = threads.by_purpose()
    return usage


def _children_seconds() -> float:
    """CPU time of the children that this process has waited for, and of those they waited for."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return children.ru_utime + children.ru_stime


class _Sampler:
    """Reads CPU time and peak memory per kind of process while the command runs."""

    def __init__(self, meter: CpuMeter, root: int) -> None:
        self._meter, self._root = meter, root
        self._cpu: dict[tuple[str, int], float] = {}
        self._peak = {"jvm": 0.0, "driver": 0.0, "worker": 0.0, "other": 0.0}

    def usage(self) -> Usage:
        by_kind = dict.fromkeys(self._peak, 0.0)
        for (kind, _), seconds in self._cpu.items():
            by_kind[kind] += seconds
        return Usage(
            jvm_cpu=by_kind["jvm"],
            driver_cpu=by_kind["driver"],
            jvm_mb=self._peak["jvm"],
            worker_mb=self._peak["worker"],
        )

    def read(self) -> None:
        self._meter.seconds()  # a process tree reads its times here
        for pid in self._meter.pids():
            kind = self._kind(pid)
            self._cpu[kind, pid] = max(self._cpu.get((kind, pid), 0.0), cpu_seconds(pid))
            self._peak[kind] = max(self._peak[kind], _peak_mb(pid))

    def _kind(self, pid: int) -> str:
        name = command_name(pid)
        if name == "java":
            return "jvm"
        if pid == self._root:
            return "driver"
        # A child that the driver has forked looks like the driver until it executes its program.
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
    excluded = ("AWS_", "REDSHIFT_", "SPARK_", "PYSPARK_", "DBT_", "MASTER", "PYTHONPATH")
    return {k: v for k, v in os.environ.items() if not k.startswith(excluded)} | dict(extra)
