"""The process that Spark forks its Python workers from, with what they need already imported.

Importing pyspark's worker, pyarrow, pandas and botocore takes over a second of CPU; a fork takes
none. Set by `spark.python.daemon.module`; Spark starts it once an executor.
"""

# pyarrow imports it with the first list that it makes an array of: 1 CPU second in every worker.
import pandas  # type: ignore[import-untyped]  # noqa: F401
import pyspark.worker  # noqa: F401
from botocore.session import Session  # noqa: F401
from pyspark.daemon import manager

import loader.apply.task
import loader.plan.task  # noqa: F401

if __name__ == "__main__":
    manager()
