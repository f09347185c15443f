"""The process that Spark forks its Python workers from, with what they need already imported.

Importing pyspark's worker, pyarrow, pandas and botocore takes a second of CPU; a fork takes none.
Set by `spark.python.daemon.module`; Spark starts it once an executor.
"""

import pandas  # type: ignore[import-untyped]  # noqa: F401  pyspark's Arrow serializers import it in every worker
import pyspark.worker  # noqa: F401
from botocore.auth import SigV4Auth  # noqa: F401
from botocore.session import Session  # noqa: F401
from pyspark.daemon import manager

import loader.apply.task
import loader.plan.task  # noqa: F401

if __name__ == "__main__":
    manager()
