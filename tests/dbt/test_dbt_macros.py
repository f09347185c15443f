"""The SQL and the errors of the macros; dbt_project/tests checks the results of the SQL."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest


@pytest.fixture(scope="module")
def sql(
    run_dbt: Callable[..., list[dict[str, Any]]], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, str]:
    """The compiled SQL of each expression, or its error message."""
    expressions = (
        "partition_column(['user_id'])",
        "partition_column(['user_id', 'country'])",
        "partition_column(['lower(email)'], partitions=8)",
        "partition_column([])",
        "partition_column('user_id')",
        "partition_column(['user_id'], partitions=0)",
        "partition_column(['user_id'], partitions=-30)",
        "partition_column(['user_id'], partitions='30')",
        "partition_column(['user_id'], partitions=7.5)",
        "partition_column(['user_id'], partitions=true)",
        "test_key_in_one_partition('orders', 'partition_id', 'user_id')",
        "test_key_in_one_partition('orders', 'partition_id', ['user_id', 'country'])",
    )
    compile_inline = ("compile", "--no-populate-cache", "--quiet", "--inline")
    results = run_dbt(
        tmp_path_factory.mktemp("inline"),
        *([*compile_inline, "{{ " + expression + " }}"] for expression in expressions),
    )
    return {
        expression: (result["output"] if result["success"] else result["error"]).strip()
        for expression, result in zip(expressions, results, strict=True)
    }


def test_one_key_column_is_hashed_as_text(sql: dict[str, str]) -> None:
    assert sql["partition_column(['user_id'])"] == (
        "cast(mod(abs(cast(checksum(cast(user_id as varchar)) as bigint)), 30) as integer)"
    )


def test_several_key_columns_are_hashed_with_their_lengths(sql: dict[str, str]) -> None:
    assert sql["partition_column(['user_id', 'country'])"] == (
        "cast(mod(abs(cast(checksum("
        "cast(length(cast(user_id as varchar)) as varchar) || ':' || cast(user_id as varchar)"
        " || "
        "cast(length(cast(country as varchar)) as varchar) || ':' || cast(country as varchar)"
        ") as bigint)), 30) as integer)"
    )


def test_the_number_of_partitions_can_be_an_argument(sql: dict[str, str]) -> None:
    assert sql["partition_column(['lower(email)'], partitions=8)"] == (
        "cast(mod(abs(cast(checksum(cast(lower(email) as varchar)) as bigint)), 8) as integer)"
    )


@pytest.mark.parametrize(
    ("call", "value"),
    [("partition_column([])", "[]"), ("partition_column('user_id')", '"user_id"')],
)
def test_the_columns_must_be_a_list(sql: dict[str, str], call: str, value: str) -> None:
    assert (
        "columns of partition_column() must be a list of at least one column, "
        f"got {value}: write partition_column(['user_id'])"
    ) in sql[call]


@pytest.mark.parametrize("partitions", ["0", "-30", "'30'", "7.5", "true"])
def test_the_number_of_partitions_must_be_a_positive_integer(
    sql: dict[str, str], partitions: str
) -> None:
    value = partitions.replace("'", '"')
    assert (
        f"partitions must be a positive integer, got {value}: "
        "set the variable `partitions` of dbt_project.yml, or the argument `partitions`"
    ) in sql[f"partition_column(['user_id'], partitions={partitions})"]


@pytest.mark.parametrize(
    ("key", "columns"), [("'user_id'", "user_id"), ("['user_id', 'country']", "user_id, country")]
)
def test_the_key_of_a_test_is_a_column_or_a_list_as_in_the_exposure(
    sql: dict[str, str], key: str, columns: str
) -> None:
    query = sql[f"test_key_in_one_partition('orders', 'partition_id', {key})"]

    assert " ".join(query.split()) == (
        f"select {columns}, min(partition_id) as first_partition, "  # noqa: S608
        f"max(partition_id) as last_partition from orders group by {columns} "
        "having min(partition_id) <> max(partition_id)"
    )
