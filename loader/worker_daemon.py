"""The process that Spark forks its Python workers from, with their imports already done.

Importing pyspark's worker, pyarrow and botocore takes over half a second of CPU; a fork takes
none. The loader names this module in `spark.python.daemon.module` if it starts Spark.
"""

import encodings.idna  # noqa: F401  for the first connection
import gc
import os
import sys


def archives_last(path: list[str]) -> list[str]:
    """The search path with Spark's own archives at its end, so that installed packages come first.

    Python compiles what it imports from an archive each time, and each task lists the files of all
    archives that an import has looked into: 1 CPU second of a small load.
    """
    spark = os.environ.get("SPARK_HOME", "")
    return sorted(path, key=lambda entry: bool(spark) and entry.startswith(f"{spark}/"))


if __name__ == "__main__":
    gc.disable()  # what is imported stays
    sys.path[:] = archives_last(sys.path)

import pyspark.worker  # noqa: F401
from botocore.session import Session  # noqa: F401
from pyspark.daemon import manager

import loader.apply.task
import loader.plan.task  # noqa: F401
from loader.spark.postponed_pandas import postpone_pandas

if __name__ == "__main__":
    postpone_pandas()
    # Each task lists the files of all archives in this cache again, 0.08 CPU seconds each time.
    sys.path_importer_cache.clear()
    # Forks share memory that the collector does not touch: without this a worker takes twice the
    # CPU to start. https://docs.python.org/3/library/gc.html#gc.freeze
    gc.freeze()
    gc.enable()
    manager()
