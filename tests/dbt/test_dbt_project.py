"""The dbt project, checked without a warehouse."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
import yaml

from tests.support.repository import DBT_PROJECT

TARGETS = ["sandbox", "dev", "dev_iam", "prod", "prod_iam"]
NAME = "redshift_to_dynamodb"
MODEL = f"model.{NAME}.stg_retail__transactions"
EXPOSURE = f"exposure.{NAME}.user_items"


@pytest.fixture(scope="module")
def targets(
    run_dbt: Callable[..., list[dict[str, Any]]], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, dict[str, Any]]:
    commands = [["compile", "--no-populate-cache", "--target", target] for target in TARGETS]
    results = run_dbt(tmp_path_factory.mktemp("targets"), *commands)
    return dict(zip(TARGETS, results, strict=True))


@pytest.mark.parametrize("target", TARGETS)
def test_every_target_compiles_without_a_warehouse_or_a_warning(
    targets: dict[str, dict[str, Any]], target: str
) -> None:
    assert (targets[target]["success"], targets[target]["error"]) == (True, "")


def test_each_target_has_a_login_method_and_an_sslmode() -> None:
    outputs = yaml.safe_load((DBT_PROJECT / "profiles.yml").read_text())[NAME]["outputs"]
    verified = "{{ env_var('REDSHIFT_SSLMODE', 'verify-full') }}"
    assert {
        target: (output["method"], "password" in output, output["sslmode"])
        for target, output in outputs.items()
    } == {
        "sandbox": ("database", True, "disable"),
        "dev": ("database", True, verified),
        "dev_iam": ("iam", False, verified),
        "prod": ("database", True, verified),
        "prod_iam": ("iam", False, verified),
    }


def test_no_target_sets_a_timeout_that_ends_long_queries() -> None:
    """The driver applies connect_timeout to every read of a result."""
    outputs = yaml.safe_load((DBT_PROJECT / "profiles.yml").read_text())[NAME]["outputs"]
    assert [target for target, output in outputs.items() if "connect_timeout" in output] == []


def test_everything_in_the_project_has_a_description(manifest: dict[str, Any]) -> None:
    resources = {
        unique_id: resource
        for kind in ("nodes", "sources", "exposures", "macros", "unit_tests")
        for unique_id, resource in manifest[kind].items()
        if resource["package_name"] == NAME
        # A generic test is described at its macro; those of dbt need no description here.
        and not resource.get("test_metadata")
    }
    nested = {
        f"{unique_id}.{name}": part
        for unique_id, resource in resources.items()
        for name, part in [
            *(resource.get("columns") or {}).items(),
            *((a["name"], a) for a in resource.get("arguments") or []),
        ]
    }
    assert {f"macro.{NAME}.test_partition_in_range.column_name", f"{MODEL}.user_id"} <= set(nested)
    assert [name for name, part in (resources | nested).items() if not part["description"]] == []


def test_the_arguments_of_each_macro_are_documented(manifest: dict[str, Any]) -> None:
    macros = [m for m in manifest["macros"].values() if m["package_name"] == NAME]
    assert {m["name"]: [a["name"] for a in m["arguments"]] for m in macros} == {
        "partition_column": ["columns", "partitions"],
        "key_as_text": ["columns"],
        "checksum_to_partition": ["checksum", "partitions"],
        "number_of_partitions": ["partitions"],
        "test_partition_in_range": ["model", "column_name", "partitions"],
        "test_key_in_one_partition": ["model", "column_name", "key"],
        "test_partitions_are_balanced": [
            "model",
            "column_name",
            "at_most_times_average",
            "partitions",
        ],
    }
    for macro in macros:
        for argument in macro["arguments"]:
            assert argument["name"] in macro["macro_sql"].split("%}")[0]


def test_the_model_is_a_view_with_an_enforced_contract(manifest: dict[str, Any]) -> None:
    model = manifest["nodes"][MODEL]
    assert (model["config"]["materialized"], model["contract"]["enforced"]) == ("view", True)
    assert {name: column["data_type"] for name, column in model["columns"].items()} == {
        "partition_id": "integer",
        "user_id": "varchar",
        "item_id": "varchar",
        "purchased_at": "timestamp",
        "invoice_id": "varchar",
        "line_number": "integer",
        "quantity": "integer",
        "unit_price": "decimal(12, 3)",
        "country": "varchar",
    }


def test_the_exposure_has_the_settings_of_the_export(manifest: dict[str, Any]) -> None:
    exposure = manifest["exposures"][EXPOSURE]
    assert exposure["depends_on"]["nodes"] == [MODEL]
    assert exposure["config"]["meta"] == {
        "dynamodb": {
            "table": "user_items",
            "key": "user_id",
            "partition_column": "partition_id",
            "partitions": 30,
            "warehouse": "127.0.0.1:15439",
            "collect": {
                "items": {
                    "column": "item_id",
                    "as": "list",
                    "order_by": ["purchased_at", "line_number"],
                }
            },
        }
    }


def test_the_exposure_is_in_the_lineage_of_the_model(manifest: dict[str, Any]) -> None:
    assert EXPOSURE in manifest["child_map"][MODEL]
    assert manifest["child_map"][EXPOSURE] == []


@pytest.fixture(scope="module")
def varied(
    run_dbt: Callable[..., list[dict[str, Any]]], tmp_path_factory: pytest.TempPathFactory
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The manifest with other values of both variables, and the result of an invalid value."""
    folder = tmp_path_factory.mktemp("varied")
    compiled, refused = run_dbt(
        folder,
        [
            *("compile", "--no-populate-cache"),
            *("--vars", "{partitions: 7, staging_materialized: table}"),
        ],
        ["parse", "--vars", "partitions: 0"],
    )
    assert compiled["success"], compiled["error"]
    return json.loads((folder / "manifest.json").read_text()), refused


def test_a_variable_sets_the_number_of_partitions(varied: tuple[dict[str, Any], Any]) -> None:
    manifest, _ = varied
    meta = manifest["exposures"][EXPOSURE]["config"]["meta"]
    code = {node["name"]: node["compiled_code"] for node in manifest["nodes"].values()}
    assert meta["dynamodb"]["partitions"] == 7
    assert " as bigint)), 7) as integer) as partition_id," in code["stg_retail__transactions"]
    assert ">= 7" in code["partition_in_range_stg_retail__transactions_partition_id"]
    balanced = "partitions_are_balanced_stg_retail__transactions_2__partition_id"
    assert "* 1.0 / 7 as" in code[balanced]


def test_a_variable_makes_staging_a_table(varied: tuple[dict[str, Any], Any]) -> None:
    config = varied[0]["nodes"][MODEL]["config"]
    assert {key: config[key] for key in ("materialized", "dist", "sort")} == {
        "materialized": "table",
        "dist": "user_id",
        "sort": "partition_id",
    }


def test_an_invalid_number_of_partitions_stops_dbt(
    varied: tuple[Any, dict[str, Any]],
) -> None:
    _, refused = varied
    assert not refused["success"]
    assert "partitions must be a positive integer, got 0: " in refused["error"]
