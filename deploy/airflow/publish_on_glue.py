"""`load` of publish.py as a run of a Glue job: docs/orchestrate.md."""

from datetime import timedelta

from airflow.providers.amazon.aws.operators.glue import GlueJobOperator

JOB = "loader"
STORAGE = "s3://example-bucket/loader"
BUNDLES = "s3://example-bucket/bundles"


def load(export: str) -> GlueJobOperator:
    """Publish an export; the job fails, and so does the task, unless the load is complete."""
    return GlueJobOperator(
        task_id=f"load_{export}",
        job_name=JOB,
        script_args={"--loader": f"load --bundle {BUNDLES}/{export}.json --storage {STORAGE}"},
        stop_job_run_on_kill=True,
        verbose=True,  # the lines of the loader are in the log of the task
        retries=2,
        retry_delay=timedelta(minutes=5),
    )
