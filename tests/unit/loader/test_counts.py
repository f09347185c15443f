import threading

import pytest
from pyspark.sql import types as T

from loader.checks import Counts
from loader.exports import Export, Relation
from loader.plan.counts import Beside, group_query, row_query

RUN = "2026-01-02T03-04-05Z"
EXPORT = Export(
    name="user_items",
    model="stg_orders",
    relation=Relation("dev", "public", "stg_orders"),
    table="user_items",
    key=("user_id", "day"),
    partition_column="partition_id",
    partitions=30,
)
TYPES: dict[str, T.DataType] = {"user_id": T.StringType(), "day": T.DateType()}


def test_keys_are_groups_without_a_null_and_rows_are_all_rows() -> None:
    assert group_query(EXPORT, TYPES, RUN) == (
        "select /* loader run=2026-01-02T03-04-05Z export=user_items */ "
        'count(case when "k0" is not null and "k1" is not null then 1 end) as "keys", '
        'cast(sum("n") as bigint) as "rows" from '
        '(select md5("user_id") as "k0", "day" as "k1", count(*) as "n" '
        'from "public"."stg_orders" group by 1, 2) as "g"'
    )


def test_rows_are_counted_alone_after_the_read() -> None:
    assert row_query(EXPORT, RUN) == (
        "select /* loader run=2026-01-02T03-04-05Z export=user_items */ "
        'count(*) as "rows" from "public"."stg_orders"'
    )


def test_hostile_names_stay_names() -> None:
    export = Export(
        name="a */ drop table x; --",
        model="m",
        relation=Relation("dev", 's"', 't" where 1=1 --'),
        table="t",
        key=('k", (select 1) as "z',),
        partition_column="p",
        partitions=1,
    )
    types: dict[str, T.DataType] = {export.key[0]: T.StringType()}

    assert group_query(export, types, "r") == (
        "select /* loader run=r export=a __ drop table x; -- */ "
        'count(case when "k0" is not null then 1 end) as "keys", '
        'cast(sum("n") as bigint) as "rows" from '
        '(select md5("k"", (select 1) as ""z") as "k0", count(*) as "n" '
        'from "s"""."t"" where 1=1 --" group by 1) as "g"'
    )


def test_work_goes_on_beside_and_gives_its_result() -> None:
    begun, go_on = threading.Event(), threading.Event()

    def work() -> Counts:
        begun.set()
        assert go_on.wait(10)
        return Counts(7, 3)

    beside = Beside(work)
    assert begun.wait(10)  # it runs although nobody has asked for the result
    go_on.set()

    assert beside.result() == Counts(7, 3)


def test_an_error_of_the_work_is_raised_where_its_result_is_asked_for() -> None:
    def work() -> Counts:
        raise ValueError("no")

    beside = Beside(work)

    with pytest.raises(ValueError, match="no"):
        beside.result()
