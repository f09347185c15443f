"""A load on a standalone Spark cluster with executors of one core each, all of the same speed.

This machine has few cores, and the warehouse and the sink need some. So a core of the cluster is
SHARE of a core here, by the kernel's CPU bandwidth control
(https://docs.kernel.org/scheduler/sched-bwc.html): each executor has one, the driver four;
warehouse and sink use what is left, as on machines of their own. JVMs see one processor.

Processes on one machine slow each other down, which executors on other machines do not. So both
cases have the same number of busy cores: a process that only counts uses the core of an executor
that is not there.
"""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from types import MappingProxyType
from typing import TypeVar

from benchmarks.commands import LOADER, arguments
from benchmarks.cpu_time import cpu_meter
from benchmarks.errors import BenchmarkError, Unavailable
from benchmarks.services import Services
from benchmarks.threads import sampled
from benchmarks.usage import Usage, environment
from loader.spark.home import spark_home
from loader.spark.jars import jar_settings
from loader.warehouse.connection import DRIVERS

T = TypeVar("T")

SHARE = 0.3
MOST_EXECUTORS = 2
COUNT = "while True: pass"
# As Glue's smallest worker, G.1X: https://docs.aws.amazon.com/glue/latest/dg/worker-types.html
DRIVER_CORES = 4
PERIOD_US = 10_000
BANDWIDTH = Path("/sys/fs/cgroup/cpu")
EXECUTOR_MB = 2048
CREDENTIALS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
NO_CREDENTIALS: Mapping[str, str] = MappingProxyType({})
WAIT_SECONDS, POLL_SECONDS = 60.0, 0.1
STARTED = re.compile(r"Starting Spark master at (spark://\S+)")
REGISTERED = "Successfully registered with master"
MASTER, WORKER = (f"org.apache.spark.deploy.{name}" for name in ("master.Master", "worker.Worker"))


def load(services: Services, folder: Path, relation: str, executors: int) -> Usage:
    """`loader load` with so many executors; the usage is that of driver and executors."""
    folder.mkdir(parents=True, exist_ok=True)
    command = [*LOADER, "load", *arguments(folder, relation)]
    with ExitStack() as stack:
        driver = stack.enter_context(_cores("driver", DRIVER_CORES))
        meter = stack.enter_context(cpu_meter("executors"))
        master = stack.enter_context(_master(folder))
        for number in range(executors):
            group = stack.enter_context(_cores(f"executor{number}", 1))
            log = folder / f"worker{number}.log"
            pid = stack.enter_context(_worker(services, log, group, master))
            meter.add(pid)
        filler = stack.enter_context(cpu_meter("filler"))
        for number in range(executors, MOST_EXECUTORS):
            group = stack.enter_context(_cores(f"filler{number}", 1))
            counting = _inside(group, [sys.executable, "-c", COUNT])
            filler.add(stack.enter_context(_daemon(counting, folder / "filler.log")))
        settings = {"spark.master": master, "spark.executor.memory": f"{EXECUTOR_MB}m"}
        settings |= jar_settings([DRIVERS["redshift"]], {}, folder)
        for pair in settings.items():
            command += ["--spark-conf", "=".join(pair)]
        before, before_filler = meter.seconds(), filler.seconds()
        with sampled(meter) as threads:
            usage = services.run(_inside(driver, command), folder)
        of_executors = meter.seconds() - before
        usage.executor_cpu = _split(of_executors, threads.by_purpose())
        usage.cpu += of_executors
        usage.filler_cpu = filler.seconds() - before_filler
    return usage


def _split(total: float, jvms: Mapping[str, float]) -> dict[str, float]:
    """The CPU seconds of executors: those of their JVMs' threads, and the rest, Python's."""
    others = {"other": jvms["driver"], "python": round(total - sum(jvms.values()), 2)}
    return {name: s for name, s in jvms.items() if name != "driver"} | others


@contextmanager
def _cores(name: str, count: int) -> Iterator[Path]:
    """A control group whose processes get so many cores of the cluster; they end with the block."""
    group = BANDWIDTH / f"bench-{name}-{os.getpid()}"
    try:
        group.mkdir()
        (group / "cpu.cfs_period_us").write_text(str(PERIOD_US))
        (group / "cpu.cfs_quota_us").write_text(str(round(count * SHARE * PERIOD_US)))
    except OSError as error:
        raise Unavailable(
            f"the CPU bandwidth of a control group must be writable, got {error}: run it as root "
            "on a machine with cgroup v1"
        ) from None
    try:
        yield group
    finally:
        _wait(lambda: _ended(group), f"{group} must have no processes")
        group.rmdir()


def _ended(group: Path) -> bool:
    """Whether a group has no process any more; those that are left are killed."""
    processes = (group / "cgroup.procs").read_text().split()
    for pid in processes:
        with suppress(ProcessLookupError):
            os.kill(int(pid), signal.SIGKILL)
    return not processes


def _inside(group: Path, command: Sequence[str]) -> list[str]:
    """The command, in the control group."""
    script = f'echo $$ > {group}/cgroup.procs && exec "$@"'
    return ["/bin/sh", "-c", script, "sh", *command]


@contextmanager
def _master(folder: Path) -> Iterator[str]:
    """A master on the loopback interface; yields its address."""
    log = folder / "master.log"
    options = ["--host", "127.0.0.1", "--port", "0", "--webui-port", "0"]
    with _daemon([*_class(MASTER), *options], log):
        started = _wait(lambda: STARTED.search(log.read_text()), f"a master must start: {log}")
        assert started is not None
        yield started[1]


@contextmanager
def _worker(services: Services, log: Path, group: Path, master: str) -> Iterator[int]:
    """A worker of one core, with credentials; yields its process."""
    credentials = {k: v for k, v in services.sandbox.env().items() if k in CREDENTIALS}
    options = ["--host", "127.0.0.1", "--cores", "1", "--memory", f"{EXECUTOR_MB}m"]
    options += ["--work-dir", str(log.with_suffix("")), "--webui-port", "0", master]
    with _daemon(_inside(group, [*_class(WORKER), *options]), log, credentials) as pid:
        _wait(lambda: REGISTERED in log.read_text(), f"a worker must register: {log}")
        yield pid


def _class(name: str) -> list[str]:
    return [str(spark_home() / "bin" / "spark-class"), name]


@contextmanager
def _daemon(
    command: Sequence[str], log: Path, credentials: Mapping[str, str] = NO_CREDENTIALS
) -> Iterator[int]:
    variables = {"SPARK_LOCAL_IP": "127.0.0.1", "SPARK_DAEMON_MEMORY": "256m", **credentials}
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, env=environment(variables), stdout=output, stderr=output
        )
    try:
        yield process.pid
    finally:
        process.terminate()
        process.wait()


def _wait(condition: Callable[[], T], rule: str) -> T:
    """Wait until a condition holds, and return its value."""
    deadline = time.monotonic() + WAIT_SECONDS
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise BenchmarkError(f"{rule}, got not within {WAIT_SECONDS:g} s")
        time.sleep(POLL_SECONDS)
    return value
