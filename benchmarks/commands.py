"""The commands that the cases run: the loader's own, and the baselines' scripts."""

import json
import shutil
import subprocess
import sys
import time
import zipfile
from contextlib import closing
from pathlib import Path

import pyspark
from pyspark.sql import types as T

from benchmarks import project
from benchmarks.errors import BenchmarkError
from benchmarks.measure import Usage
from benchmarks.place import Place
from loader.dbt.exposures import select_exports
from loader.dbt.manifest import read_manifest
from loader.warehouse.connection import DRIVERS
from loader.warehouse.counts import group_query, row_query
from sandbox.settings import REPOSITORY

BASELINES = Path(__file__).with_name("baselines")
VENV = REPOSITORY / ".venv-bench"
REQUIREMENTS = Path(__file__).with_name("requirements.txt")
CONNECTOR = "com.amazon.emr:emr-dynamodb-hadoop:5.0.0"
LOADER = [sys.executable, "-m", "loader"]


def load(place: Place, folder: Path, relation: str, ordered: bool = False) -> Usage:
    """`loader load` with its default settings, into a storage of its own."""
    return place.run([*LOADER, "load", *_places(folder, relation, ordered)], folder)


def plan(place: Place, folder: Path, relation: str, queries: int) -> Usage:
    """`loader plan` with so many queries at once."""
    command = [*LOADER, "plan", *_places(folder, relation), "--queries", str(queries)]
    return place.run(command, folder)


def count(place: Place, folder: Path, relation: str) -> Usage:
    """What a plan has counted beside its queries, alone: only the warehouse works."""
    manifest = read_manifest(project.write(folder / "project", relation))
    (export,) = select_exports(manifest, [])
    types: dict[str, T.DataType] = {"user_id": T.StringType()}
    began = time.monotonic()
    with closing(place.sandbox.connect()) as session, session.cursor() as cursor:
        for query in (group_query(export, types, "bench"), row_query(export, "bench")):
            cursor.execute(query)
            cursor.fetchall()
    return Usage(wall=time.monotonic() - began)


def copy_changeset(place: Place, folder: Path, relation: str) -> None:
    """A changeset of the relation, planned once in this run of the benchmarks."""
    planned = place.changesets / relation
    if not planned.exists():
        _plan_changeset(place, planned, relation)
    (changeset,) = (planned / "storage" / "user_items" / "runs").iterdir()
    shutil.copytree(changeset, folder / "storage" / "user_items" / "runs" / changeset.name)


def apply(place: Place, folder: Path) -> Usage:
    """`loader load --changeset` of the copy."""
    (changeset,) = (folder / "storage" / "user_items" / "runs").iterdir()
    command = [*LOADER, "load", "--changeset", str(changeset), "--json"]
    return place.run([*command, "--storage", str(folder / "storage")], folder)


def _plan_changeset(place: Place, folder: Path, relation: str) -> None:
    done = place.run([*LOADER, "plan", *_places(folder, relation)], folder)
    if done.code:
        raise BenchmarkError(f"loader plan must succeed, got exit code {done.code}: {done.log}")


def usual(place: Place, folder: Path, relation: str) -> Usage:
    """The usual script, with the driver that the loader uses."""
    driver = DRIVERS["redshift"]
    script = str(BASELINES / "usual.py")
    return place.run([sys.executable, script, relation, driver.name, driver.package], folder)


def emr(place: Place, folder: Path, relation: str) -> Usage:
    """The usual script with AWS's Hadoop connector; raises BenchmarkError where it cannot run."""
    driver, spark = DRIVERS["redshift"], Path(sys.executable).with_name("spark-submit")
    jar = place.folder / "emr.jar"
    packages = f"{driver.package},{CONNECTOR}"
    command = [str(spark), "--class", "EmrConnector", "--driver-memory", "2g"]
    return place.run([*command, "--packages", packages, str(jar), relation, driver.name], folder)


def build_emr(place: Place) -> None:
    """EmrConnector.java against Spark's jars and the connector that Maven has."""
    source, jar = BASELINES / "EmrConnector.java", place.folder / "emr.jar"
    if jar.exists() and jar.stat().st_mtime > source.stat().st_mtime:
        return
    maven = ["mvn", "--quiet", "dependency:copy", f"-Dartifact={CONNECTOR}"]
    classes = place.folder / "emr"
    classes.mkdir(exist_ok=True)
    jars = f"{Path(pyspark.__file__).parent / 'jars'}/*:{classes}/*"
    java = ["javac", "-d", str(classes), "-cp", jars, str(source)]
    for command in ([*maven, f"-DoutputDirectory={classes}"], java):
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False)
        except FileNotFoundError:
            raise BenchmarkError(f"{command[0]} must be installed, got none") from None
        if done.returncode:
            said = (done.stderr or done.stdout).strip()[-300:]
            raise BenchmarkError(f"{command[0]} must succeed, got {said}")
    with zipfile.ZipFile(jar, "w") as archive:
        for compiled in classes.glob("*.class"):
            archive.write(compiled, compiled.name)


def writer(place: Place, folder: Path, name: str, count: int) -> Usage:
    """A writer of baselines/writers.py, in the environment of the baselines."""
    script = str(BASELINES / "writers.py")
    return place.run([str(VENV / "bin" / "python"), script, name, str(count)], folder)


def install() -> None:
    """The packages of the baselines, in an environment of their own, if they are not there."""
    done = VENV / "installed"
    wanted = REQUIREMENTS.read_text()
    if done.exists() and done.read_text() == wanted:
        return
    uv, python = str(Path(sys.executable).with_name("uv")), str(VENV / "bin" / "python")
    subprocess.run(
        [uv, "venv", "--quiet", "--allow-existing", "--python", sys.executable, VENV], check=True
    )
    sync = [uv, "pip", "sync", "--quiet", "--compile-bytecode", "--require-hashes"]
    subprocess.run([*sync, "--python", python, str(REQUIREMENTS)], check=True)
    done.write_text(wanted)


def last_json(usage: Usage) -> dict[str, object]:
    """The last line that a command printed; empty if that is no JSON object."""
    try:
        found = json.loads(usage.out.strip().splitlines()[-1])
    except (IndexError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _places(folder: Path, relation: str, ordered: bool = False) -> list[str]:
    made = project.write(folder / "project", relation, ordered)
    return ["--project-dir", str(made), "--storage", str(folder / "storage"), "--json"]
