"""The jar of the warehouse's driver: given by the user, fetched before, or fetched by Spark."""

from __future__ import annotations

import glob
import os
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyspark

from loader.errors import reason
from loader.spark.home import spark_home
from loader.spark.ivy_lock import fetching
from loader.warehouse.connection import Driver
from loader.warehouse.jdbc_query import has_class

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

CLASS_PATHS = ("spark.driver.extraClassPath", "spark.executor.extraClassPath")
JARS, PACKAGES, IVY = "spark.jars", "spark.jars.packages", "spark.jars.ivy"
# Where Spark 4 and Spark 3.5 keep what Ivy has fetched.
IVY_HOMES = (".ivy2.5.2", ".ivy2")


def jar_settings(
    drivers: Sequence[Driver], given: Mapping[str, str], folder: Path
) -> dict[str, str]:
    """Spark's settings for the drivers that the user does not give; `folder` can be written.

    Asking Ivy for a file that it has fetched before takes 0.7 CPU seconds and, without a network,
    a minute.
    """
    missing = [driver for driver in drivers if not _is_given(driver, given)]
    if not missing:
        return {}
    fetched = fetched_jars(missing, given, folder)
    if fetched:
        return {JARS: _joined(given.get(JARS), *map(str, fetched))}
    homes = ivy_homes(given, folder)
    writable = (
        home for home in homes if os.access(home if os.path.exists(home) else home.parent, os.W_OK)
    )
    packages = _joined(given.get(PACKAGES), *(driver.package for driver in missing))
    return {PACKAGES: packages, IVY: str(next(writable, homes[-1]))}


def add_jars(
    spark: SparkSession, drivers: Sequence[Driver], given: Mapping[str, str], folder: Path
) -> None:
    """Give a JVM that runs already the drivers that it does not have, if their jars are here.

    The jars of `spark.jars` do not reach the class path of such a JVM.
    """
    context: Any = spark.sparkContext
    java = context._jvm.java
    loader = java.lang.Thread.currentThread().getContextClassLoader()
    for driver in drivers:
        if has_class(loader, driver.name):
            continue
        named = [Path(file) for file in _named_files(given) if _has(file, driver)]
        for jar in named[:1] or fetched_jars([driver], given, folder) or []:
            context._jsc.addJar(str(jar))
            loader.addURL(java.io.File(str(jar)).toURI().toURL())


def ivy_homes(given: Mapping[str, str], folder: Path) -> list[Path]:
    """Where Ivy may have files, or may keep them: the user's choice, or the home of Spark's
    release in the home of the user, or `folder`."""
    if given.get(IVY):
        return [Path(given[IVY])]
    names = IVY_HOMES if int(pyspark.__version__.split(".")[0]) >= 4 else IVY_HOMES[::-1]
    try:
        homes = [Path.home() / name for name in names]
    except RuntimeError:  # no HOME, and no such user
        homes = []
    return [*homes, folder / "ivy"]


def fetched_jars(
    drivers: Sequence[Driver], given: Mapping[str, str], folder: Path
) -> list[Path] | None:
    """The files of the drivers that Ivy has fetched before, or None if one is missing."""
    names = [f"{d.package.replace(':', '_', 1).replace(':', '-')}.jar" for d in drivers]
    for home in ivy_homes(given, folder):
        files = [home / "jars" / name for name in names]
        if all(map(os.path.isfile, files)):
            if not all(map(zipfile.is_zipfile, files)):
                # Ivy copies them: wait until another process, if there is one, has done that.
                with suppress(TimeoutError), fetching(home):
                    pass
            return files
    return None


def jar_problems(
    drivers: Sequence[Driver], given: Mapping[str, str], folder: Path
) -> Iterator[str]:
    """Why a jar that is named, or was fetched before, cannot be used."""
    for name in filter(None, map(str.strip, given.get(JARS, "").split(","))):
        files = _local_files(name)
        if files is not None and not files:
            yield f"spark.jars must name files, got {name}, which does not exist: correct the path"
        for file in files or []:
            if cause := _broken(file):
                yield f"spark.jars must name jars, got {file} ({cause}): copy it again"
    missing = [driver for driver in drivers if not _is_given(driver, given)]
    for jar in fetched_jars(missing, given, folder) or []:
        if cause := _broken(str(jar)):
            yield (
                f"driver {jar} must be a jar, got another file ({cause}): remove it and "
                f"{jar.parent.parent / 'cache'}, so that Spark fetches it again"
            )


def _is_given(driver: Driver, given: Mapping[str, str]) -> bool:
    """Whether a jar of the user, a package of the user or Spark's own folder has the driver."""
    group, artifact, _ = driver.package.split(":")
    packages = [package.strip().split(":") for package in given.get(PACKAGES, "").split(",")]
    if [group, artifact] in [package[:2] for package in packages]:
        return True
    for name in filter(None, map(str.strip, given.get(JARS, "").split(","))):
        files = _local_files(name)
        if (files is None and artifact in name) or any(_has(file, driver) for file in files or []):
            return True
    if any((spark_home() / "jars").glob(f"{artifact}-*.jar")):
        return True
    entries, *others = (given.get(name, "").split(":") for name in CLASS_PATHS)
    everywhere = [entry for entry in entries if all(entry in other for other in others)]
    return any(_has(file, driver) for entry in everywhere for file in _jars(entry))


def _jars(entry: str) -> list[str]:
    """The jars of an entry of a class path: `folder/*` has all jars of the folder."""
    return glob.glob(f"{entry}.jar") if entry.endswith("/*") else glob.glob(entry)


def _named_files(given: Mapping[str, str]) -> list[str]:
    """The files of spark.jars on this machine."""
    names = filter(None, map(str.strip, given.get(JARS, "").split(",")))
    return [file for name in names for file in _local_files(name) or []]


def _has(file: str, driver: Driver) -> bool:
    if _broken(file):
        return False
    with zipfile.ZipFile(file) as jar:
        return f"{driver.name.replace('.', '/')}.class" in jar.namelist()


def _local_files(name: str) -> list[str] | None:
    """The files of a name with wildcards; None for an address, such as s3a://bucket/x.jar."""
    scheme, colon, path = name.partition(":")
    if not colon:
        path = name
    elif scheme not in ("file", "local"):
        return None
    return sorted(glob.glob(path.removeprefix("//")))


def _broken(file: str) -> str | None:
    try:
        with zipfile.ZipFile(file):
            return None
    except (OSError, zipfile.BadZipFile) as error:
        return reason(getattr(error, "strerror", None) or error)


def _joined(*words: str | None) -> str:
    return ",".join(filter(None, words))
