"""dbt against the sandbox's Redshift: what it builds, and that each data test can fail."""

# ruff: noqa: S608  the names of schemas in the SQL are constants of this file

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from sandbox import Sandbox
from tests.support.repository import DBT_PROJECT, REPOSITORY
from tests.support.run_dbt import run_commands

pytestmark = pytest.mark.integration

SCHEMA, BROKEN = "test_dbt", "test_dbt_broken"
MODEL = f"{SCHEMA}.stg_retail__transactions"

Query = Callable[[str], list[list[Any]]]
RunDbt = Callable[..., list[dict[str, Any]]]


@pytest.fixture(scope="module")
def query(sandbox: Sandbox) -> Iterator[Query]:
    connection = sandbox.connect()
    connection.autocommit = True

    def run(statement: str) -> list[list[Any]]:
        with connection.cursor() as cursor:
            cursor.execute(statement)
            return [list(row) for row in cursor.fetchall()] if cursor.description else []

    for schema in (SCHEMA, BROKEN):
        run(f"drop schema if exists {schema} cascade")
        run(f"create schema {schema}")
    yield run
    for schema in (SCHEMA, BROKEN):
        run(f"drop schema if exists {schema} cascade")
    connection.close()


@pytest.fixture(scope="module")
def run_dbt(sandbox: Sandbox) -> RunDbt:
    """Run commands in a schema that only these tests use; dbt writes everything to the folder."""

    def run(
        folder: Path, *commands: list[str], schema: str = SCHEMA, project: Path = DBT_PROJECT
    ) -> Any:
        environment = sandbox.env() | {"REDSHIFT_SCHEMA": schema}
        return run_commands(folder, project, commands, environment)

    return run


@pytest.fixture(scope="module")
def artifacts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("dbt")


@pytest.fixture(scope="module")
def built(query: Query, run_dbt: RunDbt, artifacts: Path) -> list[dict[str, Any]]:
    return run_dbt(
        artifacts,
        ["--warn-error", "build"],
        ["--warn-error", "source", "freshness"],
        ["--warn-error", "docs", "generate"],
    )


def test_build_passes_without_a_warning(built: list[dict[str, Any]]) -> None:
    build, _, _ = built
    failures = {name: result for name, result in build["nodes"].items() if result[1]}
    statuses = [status for status, _ in build["nodes"].values()]
    assert (failures, build["error"], build["success"]) == ({}, "", True)
    assert {status: statuses.count(status) for status in statuses} == {
        "pass": 19,  # 17 data tests and 2 unit tests
        "success": 1,
        "no-op": 1,  # the exposure
    }


def test_the_purchases_are_those_of_the_data_set(built: list[dict[str, Any]], query: Query) -> None:
    assert query(
        f"""
        select
            count(*),
            count(distinct user_id),
            count(distinct item_id),
            count(distinct partition_id),
            min(partition_id),
            max(partition_id),
            min(quantity),
            count(distinct line_number)
        from {MODEL}
        """
    ) == [[407695, 4314, 4017, 30, 0, 29, 1, 407695]]


def test_a_purchase_reads_as_its_line_of_the_file(
    built: list[dict[str, Any]], query: Query
) -> None:
    [row] = query(
        f"""
        select
            user_id, item_id, cast(purchased_at as varchar), invoice_id, line_number, quantity,
            cast(unit_price as varchar), country
        from {MODEL}
        where line_number = 2
        """
    )
    assert row == [
        *("13085", "79323P", "2009-12-01 07:45:00", "489434"),
        *(2, 12, "6.750", "United Kingdom"),
    ]


def test_the_rows_just_loaded_are_fresh(built: list[dict[str, Any]]) -> None:
    _, freshness, _ = built
    assert (freshness["error"], freshness["success"]) == ("", True)


def test_the_docs_show_the_columns_and_the_table_they_feed(
    built: list[dict[str, Any]], artifacts: Path
) -> None:
    assert built[2]["success"]
    model = "model.redshift_to_dynamodb.stg_retail__transactions"
    catalog = json.loads((artifacts / "catalog.json").read_text())
    manifest = json.loads((artifacts / "manifest.json").read_text())
    assert list(catalog["nodes"][model]["columns"]) == list(manifest["nodes"][model]["columns"])
    assert "exposure.redshift_to_dynamodb.user_items" in manifest["child_map"][model]
    assert (artifacts / "index.html").exists()


def test_staging_switches_between_view_and_table_and_back(
    built: list[dict[str, Any]], query: Query, run_dbt: RunDbt, tmp_path: Path
) -> None:
    rows = f"select count(*), sum(line_number), sum(partition_id) from {MODEL}"
    as_view = query(rows)
    kind = f"select table_type from information_schema.tables where table_schema = '{SCHEMA}'"
    states = []
    for materialized in ("table", "view"):
        run = ["--warn-error", "run", "--vars", f"staging_materialized: {materialized}"]
        first, again = run_dbt(tmp_path, run, run)
        states.append((first["success"], again["success"], query(kind), query(rows) == as_view))
    assert states == [
        (True, True, [["BASE TABLE"]], True),
        (True, True, [["VIEW"]], True),
    ]
    log = (tmp_path / "dbt.log").read_text()
    assert "diststyle key distkey (user_id)" in log
    assert "compound sortkey(partition_id)" in log


def test_every_data_test_of_the_model_finds_its_fault(
    built: list[dict[str, Any]], query: Query, run_dbt: RunDbt, tmp_path: Path
) -> None:
    """The lines 1 to 8 are one invoice; each gets a fault of its own."""
    broken = f"{BROKEN}.stg_retail__transactions"
    columns = "user_id, item_id, purchased_at, invoice_id, quantity, unit_price, country"
    for statement in (
        f"create table {broken} as select * from {MODEL}",
        f"delete from {broken} where line_number = 1",
        f"insert into {broken} select * from {broken} where line_number = 2",
        f"update {broken} set user_id = null where line_number = 3",
        f"update {broken} set item_id = null where line_number = 4",
        f"update {broken} set purchased_at = null where line_number = 5",
        f"update {broken} set line_number = null where line_number = 6",
        f"update {broken} set partition_id = null where line_number = 7",
        f"""insert into {broken} (line_number, partition_id, {columns})
            select 0, partition_id, {columns} from {broken} where line_number = 8""",
        f"update {broken} set partition_id = 0 where partition_id in (1, 2, 3)",
        f"update {broken} set partition_id = 30 where line_number = 8",
    ):
        query(statement)
    [result] = run_dbt(
        tmp_path,
        ["test", "--select", "stg_retail__transactions,test_type:data"],
        schema=BROKEN,
    )
    model = "stg_retail__transactions"
    assert result["nodes"] == {
        f"partition_in_range_{model}_partition_id": ["fail", 2],  # lines 7 and 8
        f"key_in_one_partition_{model}_partition_id__user_id": ["fail", 1],  # of line 8
        f"partitions_are_balanced_{model}_2__partition_id": ["warn", 1],  # partition 0
        f"not_null_{model}_user_id": ["fail", 1],
        f"not_null_{model}_item_id": ["fail", 1],
        f"not_null_{model}_purchased_at": ["fail", 1],
        f"not_null_{model}_line_number": ["fail", 1],
        f"unique_{model}_line_number": ["fail", 1],
        # Line 1 is lost, 2 is there twice, 0 is invented; 3 to 6 are lost as they were and
        # invented as they are.
        "assert_purchases_are_the_source_rows_of_the_rule": ["fail", 11],
    }


def test_a_model_built_for_more_partitions_is_found(
    built: list[dict[str, Any]], query: Query, run_dbt: RunDbt, tmp_path: Path
) -> None:
    [[rows]] = query(f"select count(*) from {MODEL} where partition_id = 29")
    name = "partition_in_range_stg_retail__transactions_partition_id"
    [result] = run_dbt(tmp_path, ["test", "--select", name, "--vars", "partitions: 29"])
    assert (rows > 0, result["nodes"]) == (True, {name: ["fail", rows]})


FAULTS = {
    "a_purchase_has_a_customer_and_is_not_cancelled_and_has_a_quantity": (
        "models/staging/retail/stg_retail__transactions.sql",
        "and quantity > 0",
        "and quantity <> 0",
    ),
    "a_purchase_keeps_its_source_values_and_its_duplicates": (
        "models/staging/retail/stg_retail__transactions.sql",
        "    stock_code as item_id",
        "    upper(stock_code) as item_id",
    ),
    "assert_every_checksum_has_a_partition": (
        "macros/checksum_to_partition.sql",
        "abs(cast({{ checksum }} as bigint))",
        "cast({{ checksum }} as bigint)",
    ),
    "assert_different_keys_have_different_texts": (
        "macros/key_as_text.sql",
        "cast(length({{ text }}) as varchar) || ':' || {{ text }}",
        "{{ text }}",
    ),
}


def test_each_fault_in_the_sql_is_found_by_its_own_test(
    sandbox: Sandbox, run_dbt: RunDbt, tmp_path: Path
) -> None:
    project = tmp_path / "project"
    ignore = shutil.ignore_patterns("target", "logs")
    shutil.copytree(DBT_PROJECT, project, ignore=ignore)
    for file, right, wrong in FAULTS.values():
        source = (project / file).read_text()
        assert source.count(right) == 1
        (project / file).write_text(source.replace(right, wrong))
    [result] = run_dbt(tmp_path, ["test", "--select", *FAULTS], project=project)
    statuses = {name: status for name, (status, _) in result["nodes"].items()}
    assert statuses == dict.fromkeys(FAULTS, "fail")


def lint(folder: Path, sandbox: Sandbox) -> subprocess.CompletedProcess[str]:
    """`sqlfluff lint` as `make lint` calls it: what dbt compiles, dialect redshift."""
    return subprocess.run(
        [sys.executable, "-m", "sqlfluff", "lint", "--nocolor", "-v", "dbt_project"],
        cwd=folder,
        env=os.environ | sandbox.env(),
        capture_output=True,
        text=True,
        check=False,
    )


def test_sqlfluff_passes_the_files_of_the_project_and_fails_a_bad_model(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    ignored = shutil.ignore_patterns("target", "logs")
    shutil.copytree(DBT_PROJECT, tmp_path / "dbt_project", ignore=ignored)
    shutil.copy(REPOSITORY / ".sqlfluff", tmp_path)
    model = tmp_path / "dbt_project" / "models" / "staging" / "retail" / "stg_retail__bad.sql"
    model.write_text("SELECT user_id FROM {{ ref('stg_retail__transactions') }}\n")

    linted = lint(tmp_path, sandbox)

    files = [line.split() for line in linted.stdout.splitlines() if line.startswith("== [")]
    verdicts = {Path(file.strip("[]")).name: verdict for _, file, verdict in files}
    assert linted.returncode == 1, linted.stdout + linted.stderr
    assert verdicts.pop("stg_retail__bad.sql") == "FAIL"
    assert {*verdicts.values()} == {"PASS"}
    assert {*verdicts} >= {
        "stg_retail__transactions.sql",
        "assert_different_keys_have_different_texts.sql",
        "assert_every_checksum_has_a_partition.sql",
        "assert_purchases_are_the_source_rows_of_the_rule.sql",
    }
    lines = [line.split("|")[2].strip() for line in linted.stdout.splitlines() if "CP01" in line]
    assert lines == ["CP01", "CP01"]
