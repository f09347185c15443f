"""The Airflow examples. `.ci/orchestrators` runs these tests, in an environment with Airflow."""

from __future__ import annotations

import json
import os
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.support.examples import BIN, example, parsed_project
from tests.support.repository import REPOSITORY

pytest.importorskip("airflow", reason="needs Airflow: run .ci/orchestrators")


def edges(dag: Any) -> dict[str, set[str]]:
    return {task.task_id: set(task.downstream_task_ids) for task in dag.tasks}


def test_each_export_is_bundled_and_loaded_after_one_build(tmp_path: Path) -> None:
    dag = example("airflow/publish.py", tmp_path, EXPORTS="['user_items', 'orders']").dag

    assert edges(dag) == {
        "dbt_build": {"bundle_user_items", "bundle_orders"},
        "bundle_user_items": {"load_user_items"},
        "load_user_items": set(),
        "bundle_orders": {"load_orders"},
        "load_orders": set(),
    }


def test_the_commands_are_those_of_the_page(tmp_path: Path) -> None:
    dag = example("airflow/publish.py", tmp_path).dag

    options = "--project-dir /opt/shop/dbt_project --profiles-dir /opt/shop/dbt_project"
    bundle = "s3://example-bucket/bundles/user_items.json"
    assert [task.bash_command.split("{%")[0] for task in dag.tasks] == [
        f"/opt/loader/bin/dbt build {options} --target prod --select +exposure:user_items",
        f"/opt/loader/bin/loader bundle {options} --target prod --export user_items -o {bundle}",
        f"/opt/loader/bin/loader load --bundle {bundle} --storage s3://example-bucket/loader",
    ]


def test_only_a_load_is_retried_after_the_lock_of_a_killed_run_has_expired(tmp_path: Path) -> None:
    dag = example("airflow/publish.py", tmp_path).dag

    retries = {task.task_id: (task.retries, task.retry_delay) for task in dag.tasks if task.retries}
    assert retries == {"load_user_items": (2, timedelta(minutes=5))}
    assert dag.max_active_runs == 1


PARAMETERS = pytest.mark.parametrize(
    ("parameters", "options"),
    [
        ({"allow_deletes": None, "full": False}, []),
        ({"allow_deletes": 7, "full": False}, ["--allow-deletes", "7"]),
        ({"allow_deletes": None, "full": True}, ["--full"]),
        ({"allow_deletes": 7, "full": True}, ["--allow-deletes", "7", "--full"]),
    ],
)
BUNDLE, STORAGE = "s3://example-bucket/bundles/user_items.json", "s3://example-bucket/loader"


@PARAMETERS
def test_a_parameter_of_a_run_is_an_option_of_the_load(
    parameters: dict[str, Any], options: list[str], tmp_path: Path
) -> None:
    dag = example("airflow/publish.py", tmp_path).dag
    task = dag.get_task("load_user_items")

    command = task.render_template(task.bash_command, {"params": parameters})

    assert command.split()[1:] == ["load", "--bundle", BUNDLE, "--storage", STORAGE, *options]


@PARAMETERS
def test_on_glue_a_parameter_of_a_run_is_an_option_of_the_load(
    parameters: dict[str, Any], options: list[str], tmp_path: Path
) -> None:
    task = example("airflow/publish_on_glue.py", tmp_path).load("user_items")

    task.render_template_fields({"params": parameters})

    assert list(task.script_args) == ["--loader"]
    words = task.script_args["--loader"].split()
    assert words == ["load", "--bundle", BUNDLE, "--storage", STORAGE, *options]


@PARAMETERS
def test_on_emr_serverless_a_parameter_of_a_run_is_an_option_of_the_load(
    parameters: dict[str, Any], options: list[str], tmp_path: Path
) -> None:
    task = example("airflow/publish_on_emr_serverless.py", tmp_path).load("user_items")

    task.render_template_fields({"params": parameters})

    job = task.job_driver["sparkSubmit"]
    words = ["load", "--bundle", BUNDLE, "--storage", STORAGE, *options]
    assert job.pop("entryPointArguments") == words
    recipe = json.loads((REPOSITORY / "deploy/emr-serverless/job.json").read_text())["jobDriver"]
    assert job == {n: v for n, v in recipe["sparkSubmit"].items() if n != "entryPointArguments"}


def test_on_glue_the_task_waits_for_the_job_and_stops_it_when_it_is_stopped(tmp_path: Path) -> None:
    task = example("airflow/publish_on_glue.py", tmp_path).load("user_items")
    recipe = json.loads((REPOSITORY / "deploy/glue/job.json").read_text())

    assert (task.task_id, task.wait_for_completion, task.stop_job_run_on_kill) == (
        "load_user_items",
        True,
        True,
    )
    assert task.execution_timeout == timedelta(hours=6) == timedelta(minutes=recipe["Timeout"])
    # Otherwise a task that is cleared after its success would not load again.
    assert not task.durable
    # Runs of one job at the same time would be refused.
    assert (task.job_name, recipe["ExecutionProperty"]) == (
        recipe["Name"],
        {"MaxConcurrentRuns": 1},
    )


def test_on_emr_serverless_the_task_waits_until_the_job_has_ended(tmp_path: Path) -> None:
    task = example("airflow/publish_on_emr_serverless.py", tmp_path).load("user_items")

    assert (task.task_id, task.wait_for_completion, task.cancel_on_kill) == (
        "load_user_items",
        True,
        True,
    )
    limit = timedelta(minutes=task.config["executionTimeoutMinutes"])
    waits = timedelta(seconds=task.waiter_delay * task.waiter_max_attempts)
    assert (limit, waits) == (timedelta(hours=6), timedelta(hours=7))


@pytest.mark.skipif("REDSHIFT_HOST" not in os.environ, reason="needs the sandbox's variables")
@pytest.mark.parametrize(("storage", "last"), [("storage", "success"), ("ftp://refused", "failed")])
def test_a_run_of_the_dag_ends_as_its_loads_end(storage: str, last: str, tmp_path: Path) -> None:
    # Airflow runs a DAG that it finds there.
    folder = Path(os.environ["AIRFLOW_HOME"], "dags")
    folder.mkdir(exist_ok=True)
    dag = example(
        "airflow/publish.py",
        folder,
        TARGET="'sandbox'",
        PROJECT=f"'{parsed_project(tmp_path)}'",
        PROGRAMS=f"'{BIN}'",
        STORAGE=f"'{storage if '://' in storage else tmp_path / storage}'",
        BUNDLES=f"'{tmp_path}'",
    ).dag
    for task in dag.tasks:
        task.retries = 0

    run = dag.test()

    states = {ti.task_id: str(ti.state) for ti in run.get_task_instances()}
    assert states == {
        "dbt_build": "success",
        "bundle_user_items": "success",
        "load_user_items": last,
    }
    assert str(run.state) == last
