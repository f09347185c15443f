from dataclasses import replace

import pytest
from pyspark.sql import types as T

from loader.items.text_types import WarehouseText
from loader.warehouse.counts import (
    Counts,
    count_problems,
    group_query,
    reconcile_key_count,
    row_query,
)
from loader.warehouse.dialect import DIALECTS
from tests.support.exports import HOSTILE, KEYED

RUN = "2026-01-02T03-04-05Z"
EXPORT = replace(KEYED, key=("user_id", "day"))
TYPES: dict[str, T.DataType] = {"user_id": T.StringType(), "day": T.DateType()}


def test_keys_are_the_groups_without_null_and_rows_are_all_rows() -> None:
    assert group_query(EXPORT, TYPES, RUN) == (
        "select /* loader run=2026-01-02T03-04-05Z export=user_items */ "
        'count(case when "k0" is not null and "k1" is not null then 1 end) as "keys", '
        'cast(sum("n") as bigint) as "rows" from '
        '(select "user_id" as "k0", "day" as "k1", count(*) as "n" '
        'from "public"."stg_orders" group by "user_id", "day") "g"'
    )


def test_texts_that_only_the_warehouse_treats_as_equal_are_grouped_by_md5() -> None:
    assert group_query(EXPORT, TYPES, RUN, exactly=True) == (
        "select /* loader run=2026-01-02T03-04-05Z export=user_items */ "
        'count(case when "k0" is not null and "k1" is not null then 1 end) as "keys", '
        'cast(sum("n") as bigint) as "rows" from '
        '(select md5("user_id") as "k0", "day" as "k1", count(*) as "n" '
        'from "public"."stg_orders" group by md5("user_id"), "day") "g"'
    )


@pytest.mark.parametrize(
    ("exactly", "column"),
    [(False, 'cast("user_id" as varchar)'), (True, 'md5(cast("user_id" as varchar))')],
)
def test_values_of_another_type_are_grouped_by_their_text(exactly: bool, column: str) -> None:
    """JSON has no equality, md5 takes no uuid, and 30 days are equal to one month."""
    types: dict[str, T.DataType] = {"user_id": WarehouseText("uuid")}

    assert f' from (select {column} as "k0", ' in group_query(KEYED, types, RUN, exactly)


@pytest.mark.parametrize(
    ("groups", "after_rows", "expected"),
    [
        pytest.param(30, 90, Counts(90, 30), id="equal"),
        pytest.param(31, 90, Counts(90, 32), id="different"),
        pytest.param(31, 91, Counts(90, 30), id="different, and the source changed"),
    ],
)
def test_keys_are_counted_exactly_only_where_their_number_differs_from_the_groups(
    groups: int, after_rows: int, expected: Counts
) -> None:
    assert (
        reconcile_key_count(Counts(90, 30), after_rows, groups, lambda: Counts(90, 32)) == expected
    )


def test_the_second_count_is_of_rows_only() -> None:
    assert row_query(EXPORT, RUN) == (
        "select /* loader run=2026-01-02T03-04-05Z export=user_items */ "
        'count(*) as "rows" from "public"."stg_orders"'
    )


def test_all_names_of_a_count_are_in_the_quotes_of_the_database() -> None:
    assert group_query(EXPORT, TYPES, RUN, exactly=True, dialect=DIALECTS["mysql"]) == (
        "select /* loader run=2026-01-02T03-04-05Z export=user_items */ "
        "count(case when `k0` is not null and `k1` is not null then 1 end) as `keys`, "
        "cast(sum(`n`) as signed) as `rows` from "
        "(select md5(`user_id`) as `k0`, `day` as `k1`, count(*) as `n` "
        "from `public`.`stg_orders` group by md5(`user_id`), `day`) `g`"
    )
    assert row_query(EXPORT, RUN, "[]") == (
        "select /* loader run=2026-01-02T03-04-05Z export=user_items */ "
        "count(*) as [rows] from [public].[stg_orders]"
    )


def test_hostile_names_are_quoted() -> None:
    types: dict[str, T.DataType] = {HOSTILE.key[0]: T.StringType()}

    assert group_query(HOSTILE, types, "r") == (
        "select /* loader run=r export=a __ drop table x; -- */ "
        'count(case when "k0" is not null then 1 end) as "keys", '
        'cast(sum("n") as bigint) as "rows" from '
        '(select "k"", (select 1) as ""z" as "k0", count(*) as "n" '
        'from "s"""."t"" where 1=1 --" group by "k"", (select 1) as ""z") "g"'
    )


def test_a_read_that_matches_the_counts_is_not_a_problem() -> None:
    assert count_problems("s.v", Counts(1_000, 30), 1_000, 1_000, 30) == []


def test_missing_rows_are_a_problem() -> None:
    assert count_problems("s.v", Counts(1_000, 30), 1_000, 999, 30) == [
        "rows read from s.v must equal the 1,000 rows that the warehouse counted, got 999: "
        "plan again; if it happens again, report a bug"
    ]


def test_a_key_in_two_partitions_is_a_problem() -> None:
    assert count_problems("s.v", Counts(1_000, 30), 1_000, 1_000, 31) == [
        "items made from s.v must equal the 30 keys that the warehouse counted, got 31: a key is "
        "in two partitions, or the source changed during the read; test the model with "
        "key_in_one_partition"
    ]


def test_a_source_that_changed_during_the_read_is_not_a_problem() -> None:
    assert count_problems("s.v", Counts(1_000, 30), 1_001, 999, 31) == []
