"""The tuned script: what a good engineer writes in an afternoon, without a library for it.

    python tuned.py RELATION DRIVER_CLASS DRIVER_PACKAGE

It copies the view to a staging table, so that the warehouse computes it once, reads that with one
query per core, and writes with boto3's client on several threads per task.
"""

import json
import os
import random
import sys
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import closing
from itertools import islice
from typing import Any

import redshift_connector
from pyspark.sql import Row, SparkSession
from pyspark.sql import functions as F

TABLE, STAGING = "bench", "bench.tuned_staging"
PARTITIONS, CORES = 30, os.cpu_count() or 1
BATCH_CHANGES, THREADS, ATTEMPTS = 25, 8, 10


def main(relation: str, driver: str, package: str) -> None:
    env = os.environ
    spark = (
        SparkSession.builder.appName("tuned")
        .config("spark.jars.packages", package)
        .config("spark.driver.memory", "2g")
        .config("spark.sql.shuffle.partitions", 2 * CORES)
        .config("spark.serializer", "org.apache.spark.serializer.KryoSerializer")
        .config("spark.ui.enabled", "false")
        .getOrCreate()
    )
    start = time.monotonic()
    stage(relation)
    step = PARTITIONS / CORES
    rows = spark.read.jdbc(
        f"jdbc:redshift://{env['REDSHIFT_HOST']}:{env['REDSHIFT_PORT']}"
        f"/{env['REDSHIFT_DATABASE']}?ssl=false",
        STAGING,
        predicates=[
            f"partition_id >= {round(n * step)} and partition_id < {round((n + 1) * step)}"
            for n in range(CORES)
        ],
        properties={
            "driver": driver,
            "user": env["REDSHIFT_USER"],
            "password": env["REDSHIFT_PASSWORD"],
            "fetchsize": "10000",
        },
    )
    items = rows.groupBy("user_id").agg(F.collect_list("item_id").alias("items"))
    written = sum(items.rdd.mapPartitions(write).collect())
    print(json.dumps({"work_seconds": time.monotonic() - start, "written": written}))
    spark.stop()


def stage(relation: str) -> None:
    """Copy the relation to the staging table, sorted by the column that the queries filter on."""
    env = os.environ
    with closing(
        redshift_connector.connect(
            host=env["REDSHIFT_HOST"],
            port=int(env["REDSHIFT_PORT"]),
            database=env["REDSHIFT_DATABASE"],
            user=env["REDSHIFT_USER"],
            password=env["REDSHIFT_PASSWORD"],
            ssl=False,
        )
    ) as session:
        session.autocommit = True
        cursor = session.cursor()
        cursor.execute(f"drop table if exists {STAGING}")
        cursor.execute(
            f"create table {STAGING} sortkey (partition_id) as "  # noqa: S608
            f"select partition_id, user_id, item_id from {relation}"
        )


def write(rows: Iterable[Row]) -> Iterator[int]:
    """Write the items of a task; the threads have twice as many batches at most."""
    import boto3
    from botocore.config import Config

    client = boto3.client(
        "dynamodb",
        config=Config(
            max_pool_connections=THREADS,
            tcp_keepalive=True,
            parameter_validation=False,
            retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
        ),
    )
    count, requests = 0, map(put_request, rows)
    pending: set[Future[None]] = set()
    with ThreadPoolExecutor(THREADS) as threads:
        while batch := list(islice(requests, BATCH_CHANGES)):
            if len(pending) >= 2 * THREADS:
                done, pending = wait(pending, return_when=FIRST_COMPLETED)
                for future in done:
                    future.result()
            pending.add(threads.submit(send, client, batch))
            count += len(batch)
        for future in pending:
            future.result()
    yield count


def put_request(row: Row) -> dict[str, Any]:
    """The request of an item in DynamoDB's JSON, which the client passes on as it is."""
    user, items = row
    elements = [{"S": item} for item in items]
    return {"PutRequest": {"Item": {"user_id": {"S": user}, "items": {"L": elements}}}}


def send(client: Any, batch: list[dict[str, Any]]) -> None:
    """Write a batch; what DynamoDB did not process is sent again, later and later."""
    for attempt in range(ATTEMPTS):
        answer = client.batch_write_item(RequestItems={TABLE: batch})
        batch = answer["UnprocessedItems"].get(TABLE, [])
        if not batch:
            return
        time.sleep(random.uniform(0, min(10, 0.05 * 2**attempt)))  # noqa: S311
    raise RuntimeError(f"{len(batch)} items were not written after {ATTEMPTS} attempts")


if __name__ == "__main__":
    main(*sys.argv[1:])
