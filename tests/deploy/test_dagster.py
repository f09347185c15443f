"""The Dagster example. `.ci/orchestrators` runs these tests, in an environment with Dagster."""

from __future__ import annotations

import json
import os
import re
import textwrap
from pathlib import Path
from types import ModuleType

import pytest

from tests.support.examples import BIN, example, parsed_project
from tests.support.repository import REPOSITORY

dg = pytest.importorskip("dagster", reason="needs Dagster: run .ci/orchestrators")

TABLE, MODEL = dg.AssetKey(["dynamodb", "user_items"]), "stg_retail__transactions"


@pytest.fixture(scope="module")
def definitions(tmp_path_factory: pytest.TempPathFactory) -> ModuleType:
    """The example, with a project that dbt has parsed, and that has another model."""
    folder = tmp_path_factory.mktemp("dagster")
    project = parsed_project(folder, {"models/other.sql": "select 1 as n"})
    return example(
        "dagster/definitions.py",
        folder,
        TARGET="'sandbox'",
        PROJECT=f"Path('{project}')",
        PROGRAMS=f"Path('{BIN}')",
        STORAGE=f"'{folder}/storage'",
    )


def test_an_export_depends_on_the_model_that_it_publishes(definitions: ModuleType) -> None:
    graph = definitions.defs.resolve_asset_graph()

    assert {"/".join(key.path) for key in graph.executable_asset_keys} >= {
        "dynamodb/user_items",
        MODEL,
    }
    assert [key.path[-1] for key in graph.get(TABLE).parent_keys] == [MODEL]
    assert graph.get(TABLE).metadata == {"table": "user_items"}


def test_the_job_builds_what_is_upstream_of_the_exports(definitions: ModuleType) -> None:
    job = definitions.defs.resolve_job_def("publish")

    keys = {"/".join(key.path) for key in job.asset_layer.executable_asset_keys}
    assert keys >= {"dynamodb/user_items", MODEL}


def test_the_limit_of_the_page_is_on_the_tag_of_the_job(
    definitions: ModuleType, tmp_path: Path
) -> None:
    page = (REPOSITORY / "docs" / "orchestrate.md").read_text(encoding="utf-8")
    [block] = re.findall(r"^  ```yaml\n(  concurrency:\n.*?)^  ```", page, re.DOTALL | re.MULTILINE)
    (tmp_path / "dagster.yaml").write_text(textwrap.dedent(block))

    with dg.DagsterInstance.from_config(str(tmp_path)) as instance:
        [limit] = instance.get_concurrency_config().run_queue_config.tag_concurrency_limits

    tags = definitions.defs.resolve_job_def("publish").tags
    assert (limit["limit"], tags[limit["key"]]) == (1, limit["value"])


@pytest.mark.skipif("REDSHIFT_HOST" not in os.environ, reason="needs the sandbox's variables")
def test_the_numbers_of_the_report_are_metadata_of_the_table(definitions: ModuleType) -> None:
    result = definitions.defs.resolve_job_def("publish").execute_in_process()

    [event] = [e for e in result.get_asset_materialization_events() if e.asset_key == TABLE]
    metadata = event.materialization.metadata
    report_file = next(Path(definitions.STORAGE).glob("user_items/runs/*/report.json"))
    report = json.loads(report_file.read_text())
    numbers = {name: value for name, value in report.items() if isinstance(value, (int, float))}
    assert {name: metadata[name].value for name in numbers} == numbers
    assert metadata["complete"].value is True


@pytest.mark.skipif("REDSHIFT_HOST" not in os.environ, reason="needs the sandbox's variables")
def test_a_refused_load_fails_its_asset_and_is_not_retried(
    definitions: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(definitions, "STORAGE", "ftp://example")

    result = dg.materialize(definitions.EXPORTS, raise_on_error=False)

    [failure] = [event for event in result.all_events if event.is_step_failure]
    assert failure.step_failure_data.user_failure_data.description == (
        "the load of user_items ended with exit code 2: see the log"
    )
    assert [event for event in result.all_events if event.is_step_up_for_retry] == []
