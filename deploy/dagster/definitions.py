"""An asset for each export to DynamoDB, and the models upstream of them: docs/orchestrate.md."""

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import dagster as dg
from dagster_dbt import DagsterDbtTranslator, DbtCliResource, DbtProject, dbt_assets

TARGET = "prod"
PROJECT = Path("/opt/shop/dbt_project")
PROGRAMS = Path("/opt/loader/bin")  # of the environment that has dbt and the loader
STORAGE = "s3://example-bucket/loader"

DBT_PROJECT = DbtProject(project_dir=PROJECT, profiles_dir=PROJECT, target=TARGET)
TRANSLATOR = DagsterDbtTranslator()
MANIFEST = json.loads(DBT_PROJECT.manifest_path.read_text())
EXPOSURES = [
    exposure
    for exposure in MANIFEST["exposures"].values()
    if "dynamodb" in exposure["config"].get("meta", {})
]
REFUSED = 2  # exit code
MOST_SECONDS = 6 * 60 * 60


# Only what is upstream of the exports, so that the job builds all of these assets. For a part of
# them dagster-dbt does not run the tests of sources, and the load would be refused.
@dbt_assets(
    manifest=MANIFEST,
    project=DBT_PROJECT,
    select=" ".join(f"+exposure:{exposure['name']}" for exposure in EXPOSURES),
)
def models(context: dg.AssetExecutionContext, dbt: DbtCliResource):
    # The loader reads the results of dbt's tests in the target folder of the project, which
    # dagster-dbt replaces by a folder for each run unless it is given.
    target_path = PROJECT / DBT_PROJECT.target_path
    yield from dbt.cli(["build"], context=context, target_path=target_path).stream()


def export_asset(exposure: Mapping[str, Any], manifest: Mapping[str, Any]) -> dg.AssetsDefinition:
    """The DynamoDB table of an export, which depends on the model that it publishes."""
    export = exposure["name"]

    @dg.asset(
        key=["dynamodb", export],
        deps=[
            TRANSLATOR.get_asset_spec(manifest, node, DBT_PROJECT).key
            for node in exposure["depends_on"]["nodes"]
        ],
        description=exposure["description"],
        group_name="dynamodb",
        kinds={"dynamodb"},
        metadata={"table": exposure["config"]["meta"]["dynamodb"]["table"]},
        # Safe, because a load writes only what the table does not have. The lock of a run that
        # was killed expires after 60 seconds.
        retry_policy=dg.RetryPolicy(max_retries=2, delay=300),
    )
    def table(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
        report, code = load(export)
        numbers = {name: value for name, value in report.items() if isinstance(value, int | float)}
        if code:
            raise dg.Failure(
                f"the load of {export} ended with exit code {code}: see the log",
                metadata=numbers,
                # The same command would be refused again.
                allow_retries=code != REFUSED,
            )
        return dg.MaterializeResult(metadata=numbers)

    return table


def load(export: str) -> tuple[dict[str, Any], int]:
    """The report of a load, empty if it made none, and its exit code; its log is on stderr."""
    command = [
        PROGRAMS / "loader", "load", "--export", export, "--storage", STORAGE, "--json",
        "--project-dir", PROJECT, "--profiles-dir", PROJECT, "--target", TARGET,
    ]  # fmt: skip
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            output, _ = process.communicate(timeout=MOST_SECONDS)
        except BaseException:
            process.terminate()  # the loader ends its requests, and prints what was written
            raise
    return json.loads(output or "{}"), process.returncode


EXPORTS = [export_asset(exposure, MANIFEST) for exposure in EXPOSURES]

defs = dg.Definitions(
    assets=[models, *EXPORTS],
    jobs=[
        dg.define_asset_job(
            "publish",
            dg.AssetSelection.assets(*EXPORTS).upstream(),
            tags={"loader": "publish"},  # dagster.yaml limits the runs with it
        )
    ],
    schedules=[dg.ScheduleDefinition(job_name="publish", cron_schedule="0 3 * * *")],
    resources={"dbt": DbtCliResource(DBT_PROJECT, dbt_executable=str(PROGRAMS / "dbt"))},
)
