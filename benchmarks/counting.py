"""The loader's own counts of a relation's rows and keys, in a session of its own.

python -m benchmarks.counting RELATION    with the sandbox's environment
"""

import os
import sys
from contextlib import closing

import psycopg2
from pyspark.sql import types as T

from benchmarks.data import PARTITIONS
from benchmarks.project import TABLE
from loader.exports import Export, Relation
from loader.plan.counts import group_query, row_query
from sandbox.settings import DATABASE


def main(relation: str) -> None:
    """Ask for what a plan asks for beside its queries: before the read, and after it."""
    schema, identifier = relation.split(".")
    export = Export(
        name="counted",
        model=identifier,
        relation=Relation(DATABASE, schema, identifier),
        table=TABLE,
        key=("user_id",),
        partition_column="partition_id",
        partitions=PARTITIONS,
    )
    session = psycopg2.connect(
        host=os.environ["REDSHIFT_HOST"],
        port=os.environ["REDSHIFT_PORT"],
        user=os.environ["REDSHIFT_USER"],
        password=os.environ["REDSHIFT_PASSWORD"],
        dbname=DATABASE,
    )
    with closing(session), session.cursor() as cursor:
        types: dict[str, T.DataType] = {"user_id": T.StringType()}
        for query in (group_query(export, types, "bench"), row_query(export, "bench")):
            cursor.execute(query)
            print(*cursor.fetchall())


if __name__ == "__main__":
    main(*sys.argv[1:])
