"""Glue, EMR and EMR Serverless on this machine: each runs the job of its file in deploy/."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from sandbox import Sandbox
from tests.cluster.forwarding import forwarded
from tests.cluster.network import Host, network
from tests.cluster.spark import java_home, running_cluster
from tests.recipes import submit, yarn
from tests.recipes.artifacts import Artifacts
from tests.recipes.runtimes import Runtime, install_wheels, minicluster, runtime
from tests.recipes.submit import Submit
from tests.recipes.world import World
from tests.support.repository import REPOSITORY
from tests.support.sandboxes import wait_until

WORKERS = 2
# A load takes a tenth of this on two idle cores.
MOST_SECONDS = 300.0
# For two executors next to the servers.
SMALL = {
    "spark.driver.memory": "640m",
    "spark.executor.memory": "640m",
    "spark.executor.instances": "2",
    "spark.ui.enabled": "false",
}
HANG = 124


@dataclass(frozen=True)
class Outcome:
    code: int
    output: str


@dataclass(frozen=True)
class Recipe:
    """A service's release: its Spark, and the Python of its nodes with these packages.

    `read` gets the words of the job from its file.
    """

    name: str
    spark: str
    python: str
    read: Callable[[Artifacts, Sequence[str]], Submit]
    packages: str = ""
    yarn: bool = False


RECIPES = (
    Recipe("glue-5.0", "3.5.4", "3.11", submit.glue, "glue-5.0.txt"),
    Recipe("glue-5.1", "3.5.6", "3.11", submit.glue, "glue-5.1.txt"),
    Recipe("emr-7", "3.5.8", "3.9", submit.emr, yarn=True),
    Recipe("emr-7-client", "3.5.8", "3.9", submit.emr_client, yarn=True),
    Recipe("emr-8", "4.0.2", "3.9", submit.emr, yarn=True),
    Recipe("emr-serverless-7", "3.5.8", "3.9", submit.emr_serverless),
    Recipe("emr-serverless-8", "4.1.1", "3.9", submit.emr_serverless),
)


@dataclass
class Job:
    """The job of a recipe; `start` starts a program with variables, on the driver's host."""

    recipe: Recipe
    artifacts: Artifacts
    node: Runtime
    folder: Path
    start: Callable[[Sequence[str], Mapping[str, str], Path], subprocess.Popen[bytes]]
    properties: dict[str, str]
    variables: dict[str, str] = field(default_factory=dict)
    runs: int = 0

    def run(self, *changes: str) -> Outcome:
        """Run the job, with these words at the end of the loader's command."""
        read = self.recipe.read(self.artifacts, [*changes, "--allow-plain-http"])
        home = self.node.spark_home
        properties = dict(self.properties)
        if self.recipe.yarn:
            properties |= {f"{submit.YARN}{n}": v for n, v in self.variables.items()}
        self.runs += 1
        conf = self.folder / f"conf{self.runs}"
        conf.mkdir()
        lines = [f"{name} {value}\n" for name, value in properties.items()]
        (conf / "spark-defaults.conf").write_text("".join(lines))
        if self.recipe.yarn:  # the last line of EMR's own file, for the Python of the node
            line = f"export PYSPARK_PYTHON={self.node.python}\n"
            (conf / "spark-env.sh").write_text(line)
        variables = {
            "PATH": f"{home / 'bin'}:{self.node.search_path}",
            # No job may need one.
            "HOME": "/nonexistent",
            "SPARK_HOME": str(home),
            "SPARK_CONF_DIR": str(conf),
            **java_home(),
            **self.variables,
            **read.variables,
        }
        log = self.folder / f"run{self.runs}.log"
        command = ["spark-submit", *read.options, read.script, *read.words]
        process = self.start([str(home / "bin" / command[0]), *command[1:]], variables, log)
        try:
            code = process.wait(MOST_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            code = HANG
        return Outcome(code, log.read_text(errors="replace") + self._container_logs())

    def _container_logs(self) -> str:
        """What the driver printed in a container of YARN."""
        files = sorted(self.folder.rglob("container_*_000001/std*"), key=os.path.getmtime)
        return "".join(
            f"\n== {file.name}\n{file.read_text(errors='replace')}" for file in files[-2:]
        )


@contextmanager
def running(
    recipe: Recipe, sandbox: Sandbox, artifacts: Artifacts, folder: Path
) -> Iterator[tuple[World, Job]]:
    """The world of a recipe, and its job."""
    folder.mkdir()
    node = runtime(folder / "node", recipe.spark, recipe.python, recipe.packages)
    if recipe.packages:
        parameters = submit.read("glue/job.json")["DefaultArguments"]
        address = parameters["--additional-python-modules"]
        option = parameters["--python-modules-installer-option"]
        install_wheels(node, artifacts, address, option)
    with ExitStack() as stack:
        service = _yarn if recipe.yarn else _standalone
        job, address = stack.enter_context(service(recipe, node, artifacts, folder))
        settings = sandbox.settings
        warehouse = stack.enter_context(forwarded(address, settings.redshift_port))
        aws = stack.enter_context(forwarded(address, settings.dynamodb_port))
        world = World(sandbox, folder, warehouse, aws)
        world.prepare()
        stack.callback(world.clear)
        job.variables = {**world.driver_variables, **job.variables}
        yield world, job


@contextmanager
def _standalone(
    recipe: Recipe, node: Runtime, artifacts: Artifacts, folder: Path
) -> Iterator[tuple[Job, str]]:
    """A job on a standalone cluster; its driver's folder has what the executors' have."""
    driver = folder / "driver"
    driver.mkdir()
    if not recipe.packages:
        _unpack(artifacts, driver)
    # The archive has a copy of the Python of this process.
    hidden = [] if recipe.packages else _python_of_this_process()
    workers = [node] * WORKERS
    with running_cluster(
        workers, folder / "hosts", variables=World.credentials, hidden=[driver, *hidden]
    ) as cluster:

        def start(
            command: Sequence[str], variables: Mapping[str, str], log: Path
        ) -> subprocess.Popen[bytes]:
            with log.open("wb") as output:
                return subprocess.Popen(
                    command,
                    cwd=driver,
                    env=dict(variables),
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                )

        properties = {"spark.master": cluster.master, **SMALL}
        job = Job(recipe, artifacts, node, driver, start, properties)
        job.variables = cluster.driver_environment
        yield job, cluster.address


@contextmanager
def _yarn(
    recipe: Recipe, node: Runtime, artifacts: Artifacts, folder: Path
) -> Iterator[tuple[Job, str]]:
    """A job on YARN, submitted on its host."""
    hidden = [REPOSITORY, Path(sys.prefix).resolve(), *_python_of_this_process()]
    with network() as net:
        host: Host = net.add_host(folder / "host", hidden)
        _unpack(artifacts, host.folder)
        conf = host.folder / "hadoop"
        conf.mkdir()
        home = node.spark_home
        (zipped,) = (home / "python" / "lib").glob("py4j-*.zip")
        (jar,) = (home / "jars").glob("py4j-*.jar")
        jars = f"{minicluster(node)}:{home}/jars/*"
        program = Path(yarn.__file__).read_text()
        (host.folder / "yarn.py").write_text(program)
        log = folder / "yarn.log"
        variables = {"PATH": node.search_path, "PYTHONPATH": str(zipped), "HOME": str(host.folder)}
        process = host.start(
            [str(node.python), "yarn.py", str(jar), jars, str(conf)],
            {**variables, **java_home(), **World.credentials},
            log,
        )
        try:
            site = conf / "yarn-site.xml"
            wait_until(
                lambda: site.exists() or process.poll() is not None, f"YARN must start, see {log}"
            )
            if not site.exists():
                raise RuntimeError(f"YARN must start, got: {log.read_text()[-2000:]}")
            staging = {"spark.yarn.stagingDir": f"file:{host.folder}/staging"}
            properties = {"spark.master": "yarn", **SMALL, **staging}
            job = Job(recipe, artifacts, node, host.folder, host.start, properties)
            job.variables = {"HADOOP_CONF_DIR": str(conf)}
            yield job, net.address
        finally:
            process.kill()
            process.wait()


def _unpack(artifacts: Artifacts, folder: Path) -> None:
    """The archive in a folder `environment`, as YARN and EMR Serverless unpack it."""
    with tarfile.open(artifacts.file("environment.tar.gz")) as archive:
        archive.extractall(folder / "environment", filter="tar")


def _python_of_this_process() -> list[Path]:
    prefix = Path(sys.base_prefix)
    return [] if prefix in (Path("/usr"), Path("/usr/local")) else [prefix]
