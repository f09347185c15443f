"""The commands that the cases run: the loader and the scripts of the baselines."""

import json
import shutil
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import Any

import pyspark
from pyspark.sql import types as T

from benchmarks import project
from benchmarks.errors import BenchmarkError
from benchmarks.services import Services
from benchmarks.usage import Usage
from loader.dbt.exposures import select_exports
from loader.dbt.manifest import read_manifest
from loader.settings import Settings
from loader.warehouse.connection import DRIVERS
from loader.warehouse.counts import group_query, row_query
from sandbox.settings import REPOSITORY

BASELINES = Path(__file__).with_name("baselines")
VENV = REPOSITORY / ".venv-bench"
REQUIREMENTS = Path(__file__).with_name("requirements.txt")
CONNECTOR = "com.amazon.emr:emr-dynamodb-hadoop:5.0.0"
LOADER = [sys.executable, "-m", "loader"]


def load(
    services: Services,
    folder: Path,
    relation: str,
    storage: Path | None = None,
    **options: Any,
) -> Usage:
    """`loader load` with its default settings; `storage` has the state of earlier loads."""
    command = [*LOADER, "load", *arguments(folder, relation, storage, **options)]
    return services.run(command, folder)


def plan(services: Services, folder: Path, relation: str, queries: int) -> Usage:
    """`loader plan` with this number of queries at the same time."""
    command = [*LOADER, "plan", *arguments(folder, relation), "--queries", str(queries)]
    return services.run(command, folder)


def count(services: Services, folder: Path, relation: str) -> Usage:
    """Only the queries that count rows and keys, which a plan runs in addition to its reads."""
    manifest = read_manifest(Settings(project_dir=project.write(folder / "project", relation)))
    (export,) = select_exports(manifest, [])
    types: dict[str, T.DataType] = {"user_id": T.StringType()}
    start = time.monotonic()
    with closing(services.sandbox.connect()) as session, session.cursor() as cursor:
        for query in (group_query(export, types, "bench"), row_query(export, "bench")):
            cursor.execute(query)
            cursor.fetchall()
    return Usage(wall=time.monotonic() - start)


def copy_changeset(services: Services, folder: Path, relation: str) -> None:
    """Copy a changeset of the relation, which is planned once per run of the benchmarks."""
    planned = services.changesets / relation
    if not planned.exists():
        _plan_changeset(services, planned, relation)
    (changeset,) = (planned / "storage" / project.EXPORT / "runs").iterdir()
    shutil.copytree(changeset, folder / "storage" / project.EXPORT / "runs" / changeset.name)


def apply(services: Services, folder: Path) -> Usage:
    """`loader apply` of the copy."""
    (changeset,) = (folder / "storage" / project.EXPORT / "runs").iterdir()
    command = [*LOADER, "apply", str(changeset), "--json"]
    return services.run([*command, "--storage", str(folder / "storage")], folder)


def _plan_changeset(services: Services, folder: Path, relation: str) -> None:
    usage = services.run([*LOADER, "plan", *arguments(folder, relation)], folder)
    if usage.code:
        raise BenchmarkError(
            f"cannot plan a changeset of {relation}: exit code {usage.code}. See {usage.log}"
        )


def usual(services: Services, folder: Path, relation: str) -> Usage:
    """The usual script, with the driver that the loader uses."""
    return _script(services, folder, "usual", relation)


def tuned(services: Services, folder: Path, relation: str) -> Usage:
    """The tuned script, with the same driver."""
    return _script(services, folder, "tuned", relation)


def _script(services: Services, folder: Path, name: str, relation: str) -> Usage:
    driver, script = DRIVERS["redshift"], str(BASELINES / f"{name}.py")
    return services.run([sys.executable, script, relation, driver.name, driver.package], folder)


def write_changes(services: Services, changes: Iterable[dict[str, Any]]) -> Usage:
    """Only the given changes, in full batches on one connection: the fewest requests and units."""
    prepared = list(changes)
    start = time.monotonic()
    services.sink.write(prepared)
    return Usage(wall=time.monotonic() - start)


def emr(services: Services, folder: Path, relation: str) -> Usage:
    """The usual script with AWS's Hadoop connector."""
    driver, spark = DRIVERS["redshift"], Path(sys.executable).with_name("spark-submit")
    jar = services.folder / "emr.jar"
    packages = f"{driver.package},{CONNECTOR}"
    command = [str(spark), "--class", "EmrConnector", "--driver-memory", "2g"]
    return services.run([*command, "--packages", packages, str(jar), relation, driver.name], folder)


def build_emr(services: Services) -> None:
    """Compile EmrConnector.java; raises BenchmarkError without Maven or a JDK."""
    source, jar = BASELINES / "EmrConnector.java", services.folder / "emr.jar"
    if jar.exists() and jar.stat().st_mtime > source.stat().st_mtime:
        return
    maven = ["mvn", "--quiet", "dependency:copy", f"-Dartifact={CONNECTOR}"]
    classes = services.folder / "emr"
    classes.mkdir(exist_ok=True)
    jars = f"{Path(pyspark.__file__).parent / 'jars'}/*:{classes}/*"
    java = ["javac", "-d", str(classes), "-cp", jars, str(source)]
    for command in ([*maven, f"-DoutputDirectory={classes}"], java):
        try:
            process = subprocess.run(command, capture_output=True, text=True, check=False)
        except FileNotFoundError:
            raise BenchmarkError(f"{command[0]} must be installed, got none: install it") from None
        if process.returncode:
            output = (process.stderr or process.stdout).strip()[-300:]
            raise BenchmarkError(f"cannot build {jar.name}: {command[0]} printed {output}")
    with zipfile.ZipFile(jar, "w") as archive:
        for compiled in classes.glob("*.class"):
            archive.write(compiled, compiled.name)


def writer(services: Services, folder: Path, name: str, count: int) -> Usage:
    """A writer of baselines/writers.py, in the venv of the baselines."""
    script = str(BASELINES / "writers.py")
    return services.run([str(VENV / "bin" / "python"), script, name, str(count)], folder)


def install() -> None:
    """Install the packages of the baselines into a separate venv, unless it is up to date."""
    marker = VENV / "installed"
    requirements = REQUIREMENTS.read_text()
    if marker.exists() and marker.read_text() == requirements:
        return
    uv, python = str(Path(sys.executable).with_name("uv")), str(VENV / "bin" / "python")
    subprocess.run(
        [uv, "venv", "--quiet", "--allow-existing", "--python", sys.executable, VENV], check=True
    )
    sync = [uv, "pip", "sync", "--quiet", "--compile-bytecode", "--require-hashes"]
    subprocess.run([*sync, "--python", python, str(REQUIREMENTS)], check=True)
    marker.write_text(requirements)


def last_json(usage: Usage) -> dict[str, object]:
    """The last line of the output as a JSON object; empty if it is not one."""
    try:
        document = json.loads(usage.out.strip().splitlines()[-1])
    except (IndexError, ValueError):
        return {}
    return document if isinstance(document, dict) else {}


def arguments(
    folder: Path, relation: str, storage: Path | None = None, **options: Any
) -> list[str]:
    """The options of a load or a plan of the relation."""
    written = project.write(folder / "project", relation, **options)
    storage = storage or folder / "storage"
    return ["--project-dir", str(written), "--storage", str(storage), "--json"]
