"""A Spark without the jars that no run on this machine uses: links to those of pyspark.

The JVM opens every jar of its class path when it looks for extensions, and the session starts those
that it finds: MLlib's functions took 0.5 CPU seconds of every load (docs/performance.md).
"""

import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

import pyspark

FOLDER = Path(sys.prefix) / "share" / "redshift-to-dynamodb"
HOME = FOLDER / f"spark-{pyspark.__version__}"
MACHINE_LEARNING = ("spark-mllib", "spark-graphx", "breeze")
HIVE = ("spark-hive", "hive-", "datanucleus")
KUBERNETES = ("spark-kubernetes", "kubernetes-", "vertx-", "volcano-")
LEFT_OUT = (*MACHINE_LEARNING, *HIVE, *KUBERNETES)


def make() -> None:
    """Make HOME anew."""
    whole = Path(pyspark.__file__).parent
    partial = HOME.with_suffix(f".{os.getpid()}")
    (partial / "jars").mkdir(parents=True)
    (partial / "bin").symlink_to(whole / "bin")
    for jar in (whole / "jars").iterdir():
        if not jar.name.startswith(LEFT_OUT):
            (partial / "jars" / jar.name).symlink_to(jar)
    shutil.rmtree(HOME, ignore_errors=True)
    partial.rename(HOME)


def use(settings: Mapping[str, str]) -> None:
    """Have a Spark that this process starts be that of HOME, where that can do what they ask for.

    One that SPARK_HOME names stays.
    """
    here = settings.get("spark.master", "local").startswith("local")
    hive = settings.get("spark.sql.catalogImplementation") == "hive"
    if HOME.is_dir() and here and not hive:
        os.environ.setdefault("SPARK_HOME", str(HOME))
