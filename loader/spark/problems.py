"""Why Spark cannot start here: found before its JVM starts, and all together."""

import os
import pwd
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from pyspark import SparkContext

from loader.errors import Refused, reason
from loader.spark import java, properties
from loader.spark.home import home_problem
from loader.spark.jars import jar_problems
from loader.spark.memory import memory_problem
from loader.spark.shared_storage import folder_problem
from loader.storage.location import Location
from loader.warehouse.connection import Driver

# With them, pyspark becomes a client of a Spark Connect server, which has no JVM of its own.
# https://spark.apache.org/docs/latest/spark-connect-overview.html
CONNECT = {
    "SPARK_REMOTE": "",
    "SPARK_CONNECT_MODE_ENABLED": "",
    "SPARK_CONNECT_MODE": "0",
    "SPARK_API_MODE": "classic",
}
CONNECT_PROPERTIES = {"spark.remote": "", "spark.api.mode": "classic"}
LOCAL_DIRS = "SPARK_LOCAL_DIRS"


def start_problems(
    overrides: Mapping[str, str], drivers: Sequence[Driver], storage: Location
) -> list[str]:
    """The problems of a Spark that would start here, and of the storage if it is a cluster's."""
    unshared = list(filter(None, [folder_problem(storage, overrides)]))
    if SparkContext._active_spark_context or not properties.starts_jvm():
        return unshared
    try:
        given = properties.given(overrides)
    except Refused as refused:
        return refused.problems
    problems = [java.java_problem(), home_problem(), _user_problem(), *_connect_problems(given)]
    master = given.get(properties.MASTER, "local")
    if not properties.SPARK_MASTER.fullmatch(master) and "://" not in master:
        problems.append(
            f"spark.master must be local[N], yarn, spark://… or k8s://…, got {master}: correct it"
        )
    if properties.is_local(given):
        problems += [memory_problem(given), _python_problem(given), *_folder_problems(given)]
    problems += jar_problems(drivers, given, storage.local_folder())
    return list(filter(None, [*problems, *unshared]))


def _user_problem() -> str | None:
    """Hadoop, which Spark reads files with, takes the name of the user from the operating system:
    https://issues.apache.org/jira/browse/HADOOP-17150"""
    number = os.geteuid()
    try:
        pwd.getpwuid(number)
    except KeyError:
        return (
            f"user {number} must have a name in /etc/passwd, which Spark needs, got none: add a "
            f"line to it (in an image: `RUN useradd --uid {number} loader`)"
        )
    return None


def _connect_problems(given: Mapping[str, str]) -> Iterator[str]:
    values = {name: (os.environ.get(name, ""), off) for name, off in CONNECT.items()}
    values |= {name: (given.get(name, ""), off) for name, off in CONNECT_PROPERTIES.items()}
    for name, (value, off) in values.items():
        if value not in ("", off):
            yield (
                f"{name} must not be set, because the loader starts a Spark of its own or uses a "
                f"cluster, and no Spark Connect server, got {value}: unset it"
            )


def _python_problem(given: Mapping[str, str]) -> str | None:
    python = given.get(properties.PYTHON) or os.environ.get("PYSPARK_PYTHON")
    if not python or shutil.which(python):
        return None
    return f"PYSPARK_PYTHON must be a program, got {python}: unset it, to use the loader's Python"


def _folder_problems(given: Mapping[str, str]) -> Iterator[str]:
    """Spark needs one folder for temporary files."""
    try:
        default = tempfile.gettempdir()
    except FileNotFoundError as error:
        yield f"a temporary folder must be writable, got none ({error.strerror}): set TMPDIR"
        return
    name = LOCAL_DIRS if os.environ.get(LOCAL_DIRS) else "spark.local.dir"
    folders = os.environ.get(LOCAL_DIRS) or given.get(name) or default
    causes = [_unwritable(Path(folder.strip())) for folder in folders.split(",")]
    if all(causes):
        yield (
            f"{name} must be a folder that can be written, got {folders} ({causes[0]}): "
            "name another, or unset it"
        )


def _unwritable(folder: Path) -> str | None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return None
    except OSError as error:
        return reason(error.strerror or error)
