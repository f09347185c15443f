"""`load` of publish.py as a run of a Glue job: docs/orchestrate.md."""

from datetime import timedelta

from airflow.providers.amazon.aws.operators.glue import GlueJobOperator

STORAGE = "s3://example-bucket/loader"
BUNDLES = "s3://example-bucket/bundles"
# Of a run: the parameters of publish.py.
OPTIONS = (
    "{% if params.allow_deletes %} --allow-deletes {{ params.allow_deletes }}{% endif %}"
    "{% if params.full %} --full{% endif %}"
)


def load(export: str) -> GlueJobOperator:
    """Publish an export; the job fails, and so does the task, unless the load is complete."""
    return GlueJobOperator(
        task_id=f"load_{export}",
        # A job for each export, because a job has one run at a time.
        job_name=f"loader-{export.replace('_', '-')}",
        script_args={
            "--loader": f"load --bundle {BUNDLES}/{export}.json --storage {STORAGE}{OPTIONS}",
        },
        # Airflow would not load again when a task that has succeeded is cleared.
        durable=False,
        stop_job_run_on_kill=True,
        verbose=True,  # the lines of the loader are in the log of the task
        retries=2,
        retry_delay=timedelta(minutes=5),
        execution_timeout=timedelta(hours=6),
    )
