"""Compile the Java classes of the read: `python -m tests.support.read_driver`."""

from __future__ import annotations

import tempfile
import zipfile
from pathlib import Path
from typing import Any

from pyspark.sql import SparkSession

from loader.spark.session import start
from loader.warehouse.connection import DRIVERS
from tests.support.repository import REPOSITORY

FOLDER = REPOSITORY / "loader" / "warehouse"
SOURCES = ("ReadDriver.java", "QuotedNames.java")
JAR = FOLDER / "read_driver.jar"
EPOCH = (1980, 1, 1, 0, 0, 0)


def compiled(spark: SparkSession) -> dict[str, bytes]:
    """The class files, as the compiler that Spark has for its queries makes them."""
    java: Any = spark.sparkContext._jvm
    loader = java.java.lang.Thread.currentThread().getContextClassLoader()
    files: dict[str, bytes] = {}
    for source in SOURCES:
        compiler = java.org.codehaus.janino.SimpleCompiler()
        compiler.setParentClassLoader(loader)
        compiler.cook((FOLDER / source).read_text())
        classes = compiler.getBytecodes()
        files |= {f"{name.replace('.', '/')}.class": bytes(classes[name]) for name in classes}
    return dict(sorted(files.items()))


def packed() -> dict[str, bytes]:
    """The class files in the jar."""
    with zipfile.ZipFile(JAR) as jar:
        return {name: jar.read(name) for name in jar.namelist()}


def pack(classes: dict[str, bytes]) -> None:
    with zipfile.ZipFile(JAR, "w") as jar:
        for name, content in classes.items():
            jar.writestr(zipfile.ZipInfo(name, EPOCH), content)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        drivers = [DRIVERS["redshift"]]
        session = start("driver", drivers, 1, Path(folder) / "spark.log", {})
        pack(compiled(session))
        session.stop()
