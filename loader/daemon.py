"""The process that Spark forks its Python workers from, with what they need already imported.

Importing pyspark's worker, pyarrow and botocore takes a second of CPU; a fork takes none.
Set by `spark.python.daemon.module`; Spark starts it once an executor.
"""

import pyspark
import pyspark.worker
from botocore.session import Session  # noqa: F401
from pyspark.daemon import manager

import loader.apply.task
import loader.plan.task  # noqa: F401

if pyspark.__version__ < "4":
    # The Arrow serializers of Spark 3 import it in every worker, those of Spark 4 do not.
    import pandas  # type: ignore[import-untyped]  # noqa: F401

if __name__ == "__main__":
    manager()
