"""Build the models with dbt, then publish each export to DynamoDB: docs/orchestrate.md."""

from datetime import datetime, timedelta

from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import DAG, Param

EXPORTS = ["user_items"]
TARGET = "prod"
PROJECT = "/opt/shop/dbt_project"
PROGRAMS = "/opt/loader/bin"  # of the environment that has dbt and the loader
STORAGE = "s3://example-bucket/loader"
BUNDLES = "s3://example-bucket/bundles"

DBT_OPTIONS = f"--project-dir {PROJECT} --profiles-dir {PROJECT} --target {TARGET}"


def load(export: str) -> BashOperator:
    """Publish an export. Any exit code but 0 fails the task, and the task alone is retried.

    A retry is safe: it writes only what the table does not have. The lock of a run that was killed
    expires after 60 seconds, so the delay is longer. Airflow ends a task with SIGTERM, after which
    the loader ends its requests, and prints what was written.
    """
    return BashOperator(
        task_id=f"load_{export}",
        bash_command=(
            f"{PROGRAMS}/loader load --bundle {BUNDLES}/{export}.json --storage {STORAGE}"
            "{% if params.allow_deletes %} --allow-deletes {{ params.allow_deletes }}{% endif %}"
            "{% if params.full %} --full{% endif %}"
        ),
        retries=2,
        retry_delay=timedelta(minutes=5),
        execution_timeout=timedelta(hours=6),
        do_xcom_push=False,
    )


with DAG(
    "publish",
    schedule="0 3 * * *",
    start_date=datetime(2026, 1, 1),
    catchup=False,  # a load publishes the model of today
    max_active_runs=1,
    params={
        "allow_deletes": Param(None, type=["null", "integer"], minimum=1),
        "full": Param(False, type="boolean"),
    },
) as dag:
    build = BashOperator(
        task_id="dbt_build",
        bash_command=(
            f"{PROGRAMS}/dbt build {DBT_OPTIONS} --select "
            + " ".join(f"+exposure:{export}" for export in EXPORTS)
        ),
        execution_timeout=timedelta(hours=2),
        do_xcom_push=False,
    )
    for export in EXPORTS:
        # The export, the connection without its password, and what dbt's tests said.
        bundle = BashOperator(
            task_id=f"bundle_{export}",
            bash_command=(
                f"{PROGRAMS}/loader bundle {DBT_OPTIONS} --export {export} "
                f"-o {BUNDLES}/{export}.json"
            ),
            do_xcom_push=False,
        )
        build >> bundle >> load(export)
