"""Write items of 10 strings in one process, and measure only the write.

    python writers.py batch_writer|put_df|http COUNT

Prints the CPU seconds of the write; creating the items is not measured.
"""

import http.client
import json
import os
import socket
import sys
import threading
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

TABLE, CHANGES, CONNECTIONS = "bench", 25, 8


def create_items(count: int) -> list[dict[str, Any]]:
    return [
        {"user_id": str(user), "items": [f"B{user * 10 + n:09d}" for n in range(10)]}
        for user in range(count)
    ]


def batch_writer(count: int) -> Callable[[], None]:
    """boto3's batch_writer, as its documentation shows it."""
    import boto3

    items, table = create_items(count), boto3.resource("dynamodb").Table(TABLE)

    def write() -> None:
        with table.batch_writer() as batch:
            for item in items:
                batch.put_item(Item=item)

    return write


def put_df(count: int) -> Callable[[], None]:
    """awswrangler, from a pandas DataFrame."""
    import awswrangler  # type: ignore[import-not-found]
    import pandas  # type: ignore[import-untyped]

    frame = pandas.DataFrame(create_items(count))
    return lambda: awswrangler.dynamodb.put_df(df=frame, table_name=TABLE)


def http_ceiling(count: int) -> Callable[[], None]:
    """Prepared bodies without signatures on 8 connections: the upper limit for Python."""
    items = [
        {"user_id": {"S": i["user_id"]}, "items": {"L": [{"S": s} for s in i["items"]]}}
        for i in create_items(count)
    ]
    bodies = iter(
        [
            json.dumps(
                {"RequestItems": {TABLE: [{"PutRequest": {"Item": i}} for i in items[n : n + 25]]}}
            ).encode()
            for n in range(0, count, CHANGES)
        ]
    )
    address = urlsplit(os.environ["AWS_ENDPOINT_URL_DYNAMODB"])
    headers = {
        "X-Amz-Target": "DynamoDB_20120810.BatchWriteItem",
        "Content-Type": "application/x-amz-json-1.0",
    }
    lock = threading.Lock()

    def send() -> None:
        connection = http.client.HTTPConnection(str(address.hostname), address.port)
        connection.connect()
        connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while True:
            with lock:
                body = next(bodies, None)
            if body is None:
                return
            connection.request("POST", "/", body, headers)
            connection.getresponse().read()

    def write() -> None:
        threads = [threading.Thread(target=send) for _ in range(CONNECTIONS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    return write


WRITERS = {"batch_writer": batch_writer, "put_df": put_df, "http": http_ceiling}


def main(name: str, count: int) -> None:
    write = WRITERS[name](count)
    wall, cpu = time.monotonic(), time.process_time()
    write()
    facts = {"work_cpu": time.process_time() - cpu, "work_seconds": time.monotonic() - wall}
    print(json.dumps(facts))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
