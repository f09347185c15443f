"""The process that Spark forks its Python workers from, with what they need already imported.

Importing pyspark's worker, pyarrow and botocore takes over half a second of CPU; a fork takes
none. Set by `spark.python.daemon.module`; Spark starts it once an executor.
"""

import encodings.idna  # noqa: F401  of the first connection
import gc
import sys
from pathlib import Path

from loader.spark.postponed_imports import postpone


def unzipped(path: list[str]) -> list[str]:
    """The search path without Spark's archives of pyspark and py4j, where pip installed them too,
    and without the jar of Spark's core, which has no Python in it.

    Python compiles what it imports from an archive every time: 0.3 CPU seconds. An archive that is
    part of an installed pyspark has nothing else than the packages beside it. And every worker
    reads the lists of files of all archives again when it begins: 0.05 CPU seconds for the jar.
    """

    def is_installed_beside(entry: Path) -> bool:
        package = entry.parent.parent.parent  # of pyspark/python/lib/pyspark.zip
        return package.name == "pyspark" and str(package.parent) in path

    def is_for_nothing(entry: Path) -> bool:
        if entry.suffix == ".jar":
            return entry.name.startswith("spark-core_")
        return entry.suffix == ".zip" and is_installed_beside(entry)

    return [entry for entry in path if not is_for_nothing(Path(entry))]


if __name__ == "__main__":
    gc.disable()  # what is imported stays
    sys.path[:] = unzipped(sys.path)
    sys.path_importer_cache.clear()  # what was left out is in it already
    postpone()

import pyspark.worker  # noqa: E402, F401
from botocore.session import Session  # noqa: E402, F401
from pyspark.daemon import manager  # noqa: E402

import loader.apply.task  # noqa: E402
import loader.plan.task  # noqa: E402, F401

if __name__ == "__main__":
    # Forks share what the collector does not touch: without, a worker takes twice the CPU to begin.
    # https://docs.python.org/3/library/gc.html#gc.freeze
    gc.freeze()
    gc.enable()
    manager()
