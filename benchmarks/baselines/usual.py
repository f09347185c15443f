"""The usual script: group with Spark, write with boto3's batch_writer.

    python usual.py RELATION DRIVER_CLASS DRIVER_PACKAGE

It uses Spark's default settings, except for the loader's driver memory.
"""

import json
import os
import sys
import time
from collections.abc import Iterable

import boto3
from pyspark.sql import Row, SparkSession
from pyspark.sql import functions as F

PARTITIONS = 30


def write(rows: Iterable[Row]) -> None:
    table = boto3.resource("dynamodb").Table("bench")
    with table.batch_writer() as batch:
        for row in rows:
            batch.put_item(Item={"user_id": row["user_id"], "items": row["items"]})


def main(relation: str, driver: str, package: str) -> None:
    env = os.environ
    spark = (
        SparkSession.builder.appName("usual")
        .config("spark.jars.packages", package)
        .config("spark.driver.memory", "2g")
        .config("spark.ui.showConsoleProgress", "false")
        .getOrCreate()
    )
    start = time.monotonic()
    rows = (
        spark.read.format("jdbc")
        .option(
            "url",
            f"jdbc:redshift://{env['REDSHIFT_HOST']}:{env['REDSHIFT_PORT']}"
            f"/{env['REDSHIFT_DATABASE']}?ssl=false",
        )
        .option("driver", driver)
        .option("user", env["REDSHIFT_USER"])
        .option("password", env["REDSHIFT_PASSWORD"])
        .option("dbtable", relation)
        .option("partitionColumn", "partition_id")
        .option("lowerBound", 0)
        .option("upperBound", PARTITIONS)
        .option("numPartitions", PARTITIONS)
        .load()
    )
    items = rows.groupBy("user_id").agg(F.collect_list("item_id").alias("items"))
    items.foreachPartition(write)
    print(json.dumps({"work_seconds": time.monotonic() - start}))
    spark.stop()


if __name__ == "__main__":
    main(*sys.argv[1:])
