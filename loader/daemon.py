"""The process that Spark forks its Python workers from, with what they need already imported.

Importing pyspark's worker, pyarrow and botocore takes over half a second of CPU; a fork takes
none. Set by `spark.python.daemon.module`; Spark starts it once an executor.
"""

import encodings.idna  # noqa: F401  of the first connection
import gc
import sys
from pathlib import Path

from loader.postponed_imports import postpone


def unzipped(path: list[str]) -> list[str]:
    """The search path without Spark's archives of pyspark and py4j, where pip installed them too.

    Python compiles what it imports from an archive every time: 0.3 CPU seconds. An archive that is
    part of an installed pyspark has nothing else than the packages beside it.
    """

    def is_installed_beside(entry: Path) -> bool:
        package = entry.parent.parent.parent  # of pyspark/python/lib/pyspark.zip
        return package.name == "pyspark" and str(package.parent) in path

    return [e for e in path if not (e.endswith(".zip") and is_installed_beside(Path(e)))]


if __name__ == "__main__":
    gc.disable()  # what is imported stays
    sys.path[:] = unzipped(sys.path)
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
