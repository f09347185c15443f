"""A standalone Spark cluster: a master, and workers on hosts of their own.

    with running_cluster([environment, environment], folder) as cluster:
        ...  # a driver with `cluster.driver_environment` and the master `cluster.master`
        cluster.workers[0].kill_executor()

`folder` must not be in /tmp: each host has a /tmp of its own. Each worker gets the environment with
its number, from which it starts its executors: `python3` there is the environment's, and only
PATH, HOME, JAVA_HOME and the variables that are given (credentials, for instance) are set. The
folders of this repository and of this process's packages are empty on the hosts.

The driver is a process of this machine, which the hosts reach at `cluster.address`. So are servers:
inside `with cluster.forward(port) as server:` the hosts reach a port of 127.0.0.1 at `server.url`.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.request import ProxyHandler, build_opener

from tests.cluster.environments import Environment
from tests.cluster.forwarding import Forward, forwarded
from tests.cluster.network import Host, Network, network
from tests.support.repository import REPOSITORY
from tests.support.sandboxes import wait_until

EXECUTOR = "org.apache.spark.executor.CoarseGrainedExecutorBackend"
CORES, MEMORY = 2, "1g"
# Every JVM here lives for seconds: the second compiler would cost more than it saves.
SHORT_LIVED = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"
DAEMON = {"SPARK_DAEMON_MEMORY": "256m", "SPARK_DAEMON_JAVA_OPTS": SHORT_LIVED}
STARTED = re.compile(r"Starting Spark master at (spark://\S+)")
PAGE = re.compile(r"started at (http://\S+)")


@dataclass
class Worker:
    """A worker of the cluster, and its executors.

    `given` are variables of its environment, in addition to those that any host has.
    """

    host: Host
    environment: Environment
    master: str
    cores: int
    given: Mapping[str, str]
    _process: subprocess.Popen[bytes] | None = field(default=None, init=False)

    @property
    def work(self) -> Path:
        """Work folders of the executors: one per application and executor."""
        return self.host.folder / "work"

    @property
    def log(self) -> Path:
        return self.host.folder.with_suffix(".log")

    def start(self) -> None:
        home = self.environment.spark_home
        variables = {
            "PATH": self.environment.search_path,
            "HOME": str(self.host.folder),
            "SPARK_HOME": str(home),
            **DAEMON,
            **java_home(),
            **self.given,
        }
        command = [str(home / "bin" / "spark-class"), "org.apache.spark.deploy.worker.Worker"]
        command += ["--host", self.host.address, "--cores", str(self.cores), "--memory", MEMORY]
        command += ["--work-dir", str(self.work), "--webui-port", "0", self.master]
        self._process = self.host.start(command, variables, self.log)

    def kill(self) -> None:
        """Kill the worker and its executors, as if the host had lost its power."""
        if self._process:
            self._process.kill()
            self._process.wait()

    def executors(self) -> list[int]:
        return self.host.processes(EXECUTOR)

    def kill_executor(self) -> list[int]:
        """Send SIGKILL to the JVMs of the executors; returns them. Their Python workers stay."""
        return self.host.kill(EXECUTOR)

    def files(self) -> list[Path]:
        """The files that its processes have written: in its work folders, in /tmp, in HOME."""
        # Path.rglob fails if a folder is removed meanwhile.
        found = (
            Path(folder, name) for folder, _, names in os.walk(self.host.folder) for name in names
        )
        return [path for path in found if path.is_file()]


@dataclass
class Cluster:
    """A master, its workers, and the network that they are on."""

    network: Network
    folder: Path
    master: str
    page: str
    workers: list[Worker]

    @property
    def address(self) -> str:
        """The address of the driver and of servers, as the workers see it."""
        return self.network.address

    @property
    def driver_environment(self) -> dict[str, str]:
        """The variables with which a driver outside of the hosts can be reached from them."""
        return {"SPARK_LOCAL_IP": self.address}

    def forward(self, port: int) -> AbstractContextManager[Forward]:
        """Let the hosts reach a port of 127.0.0.1, at the address and port that are yielded."""
        return forwarded(self.address, port)

    def state(self) -> dict[str, Any]:
        """What the master knows: https://spark.apache.org/docs/latest/monitoring.html"""
        with build_opener(ProxyHandler({})).open(f"{self.page}/json/", timeout=10) as answer:
            return dict(json.load(answer))

    def wait_for_workers(self) -> None:
        """Wait until the master knows all workers that are not killed, and each as alive."""
        wanted = {worker.host.address for worker in self.workers}
        wait_until(
            lambda: {w["host"] for w in self.state()["workers"] if w["state"] == "ALIVE"} == wanted,
            f"the master {self.page} must know the workers {wanted}",
        )

    def wait_until_idle(self) -> None:
        """Wait until the last application has ended, with its executors and their files."""
        wait_until(
            lambda: (
                not self.state()["activeapps"]
                and not any(worker.executors() for worker in self.workers)
            ),
            "executors must end with their application",
        )


def java_home() -> dict[str, str]:
    home = os.environ.get("JAVA_HOME")
    return {"JAVA_HOME": home} if home else {}


@contextmanager
def running_cluster(
    environments: Sequence[Environment],
    folder: Path,
    *,
    cores: int = CORES,
    variables: Mapping[str, str] | None = None,
    hidden: Sequence[Path] = (),
) -> Iterator[Cluster]:
    """A cluster with one worker per environment; all its processes end with the block.

    `cores` of each worker, `variables` of its environment, and more folders to hide from it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if sys.prefix != sys.base_prefix:
        hidden = [Path(sys.prefix).resolve(), *hidden]
    hidden = [REPOSITORY, *hidden]
    with network() as net:
        home = environments[0].spark_home
        log = folder / "master.log"
        with log.open("ab") as output:
            command = [str(home / "bin" / "spark-class"), "org.apache.spark.deploy.master.Master"]
            command += ["--host", net.address, "--port", "0", "--webui-port", "0"]
            process = subprocess.Popen(
                command,
                env={
                    "PATH": environments[0].search_path,
                    "SPARK_HOME": str(home),
                    **DAEMON,
                    # Otherwise the pages answer on all addresses of this machine.
                    "SPARK_LOCAL_IP": net.address,
                    **java_home(),
                },
                stdout=output,
                stderr=output,
            )
        workers: list[Worker] = []
        try:
            master, page = _addresses(log, process)
            for number, environment in enumerate(environments, start=1):
                host = net.add_host(folder / f"worker{number}", hidden)
                workers.append(Worker(host, environment, master, cores, variables or {}))
                workers[-1].start()
            cluster = Cluster(net, folder, master, page, workers)
            cluster.wait_for_workers()
            yield cluster
        finally:
            for worker in workers:
                worker.kill()
            process.kill()
            process.wait()


def _addresses(log: Path, process: subprocess.Popen[bytes]) -> tuple[str, str]:
    """The address of a master that starts, and that of its page."""

    def found() -> list[re.Match[str] | None]:
        if process.poll() is not None:
            raise RuntimeError(f"cannot start a master: see {log}")
        text = log.read_text(errors="replace")
        return [STARTED.search(text), PAGE.search(text)]

    wait_until(lambda: all(found()), f"the master must start and write its addresses to {log}")
    master, page = found()
    assert master is not None
    assert page is not None
    return master[1], page[1].rstrip("/")
