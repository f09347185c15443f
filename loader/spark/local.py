"""What is done only for a Spark that the loader starts on this machine."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyspark

from loader.spark import spark_home
from loader.storage.location import make_private

# HotSpot compiles a method at five times the usual counts of calls, and optimises it at sixteen
# times those, at forty times those of loops: a load is over in seconds to minutes, and compiling
# took as much CPU as reading a million rows (docs/performance.md). Spark's classes alone need more
# than the 20 MB at which the first collection for their sake would begin.
JAVA_OPTIONS = (
    "-Duser.timezone=UTC -XX:+UseParallelGC -XX:MetaspaceSize=256m "
    "-XX:Tier3InvocationThreshold=1000 -XX:Tier3MinInvocationThreshold=500 "
    "-XX:Tier3CompileThreshold=10000 -XX:Tier4InvocationThreshold=80000 "
    "-XX:Tier4MinInvocationThreshold=9600 -XX:Tier4CompileThreshold=240000 "
    "-XX:Tier4BackEdgeThreshold=1600000"
)

ARCHIVE = spark_home.FOLDER / f"spark-{pyspark.__version__}.jsa"
# By default the JVM reports an archive that does not fit on standard output.
QUIET = "-Xlog:disable -Xlog:all=warning:stderr"

# Where Spark 4 and Spark 3.5 keep the packages that they have resolved.
IVY_HOMES = (".ivy2.5.2", ".ivy2")


def archive_options() -> str:
    """Options that make a JVM use the archive; nothing where there is none."""
    return f"-XX:SharedArchiveFile={ARCHIVE} {QUIET}" if ARCHIVE.is_file() else ""


def jar_settings(packages: list[str]) -> dict[str, str]:
    """Spark's setting for the packages: their files, where Ivy has fetched them before.

    Asking Ivy for what is there takes 0.7 CPU seconds and, without a network, a minute.
    """
    if not packages:
        return {}
    names = [f"{package.replace(':', '_', 1).replace(':', '-')}.jar" for package in packages]
    for folder in (Path.home() / home / "jars" for home in IVY_HOMES):
        if all((folder / name).is_file() for name in names):
            return {"spark.jars": ",".join(str(folder / name) for name in names)}
    return {"spark.jars.packages": ",".join(packages)}


@contextmanager
def private_files() -> Iterator[None]:
    """The JVM and its workers, started within, make files that are their owner's alone.

    Spark makes the folders of what a sort spills, which are rows, as the umask says.
    """
    before = os.umask(0o077)
    try:
        yield
    finally:
        os.umask(before)


@contextmanager
def output_to(log: Path) -> Iterator[None]:
    """Processes started within write to `log`, for as long as they live.

    The JVM ends after the loader: who reads the loader's output from a pipe would wait for it.
    """
    make_private(log.parent)
    sys.stdout.flush()
    sys.stderr.flush()
    saved = os.dup(1), os.dup(2)
    with open(os.open(log, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600), "wb") as file:
        for stream in (1, 2):
            os.dup2(file.fileno(), stream)
        try:
            yield
        finally:
            for stream, was in zip((1, 2), saved, strict=True):
                os.dup2(was, stream)
                os.close(was)
