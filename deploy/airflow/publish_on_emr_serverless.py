"""`load` of publish.py as a job of EMR Serverless: docs/orchestrate.md."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

from airflow.providers.amazon.aws.operators.emr import EmrServerlessStartJobOperator

APPLICATION = "00example0000000"
ROLE = "arn:aws:iam::111122223333:role/loader"
SCRIPT = "s3://example-bucket/loader/load.py"
STORAGE = "s3://example-bucket/loader"
BUNDLES = "s3://example-bucket/bundles"
# The loader with its Python, and the JDBC driver: docs/run-on-aws.md.
FILES = "s3://example-bucket/loader"
PYTHON = "./environment/bin/python"
SPARK = (
    f"--jars {FILES}/redshift-jdbc42-2.3.0.jar "
    f"--conf spark.archives={FILES}/environment.tar.gz#environment "
    f"--conf spark.emr-serverless.driverEnv.PYSPARK_DRIVER_PYTHON={PYTHON} "
    f"--conf spark.emr-serverless.driverEnv.PYSPARK_PYTHON={PYTHON} "
    "--conf spark.emr-serverless.driverEnv.AWS_REGION=eu-west-1 "
    f"--conf spark.executorEnv.PYSPARK_PYTHON={PYTHON}"
)


def job_of(export: str) -> Callable[..., dict[str, Any]]:
    """The job with the parameters of a run, which are known when Airflow renders the task."""

    def job(context: Mapping[str, Any], jinja_env: Any) -> dict[str, Any]:
        words = ["load", "--bundle", f"{BUNDLES}/{export}.json", "--storage", STORAGE]
        if deletes := context["params"]["allow_deletes"]:
            words += ["--allow-deletes", str(deletes)]
        if context["params"]["full"]:
            words += ["--full"]
        return {
            "sparkSubmit": {
                "entryPoint": SCRIPT,
                "entryPointArguments": words,
                "sparkSubmitParameters": SPARK,
            }
        }

    return job


def load(export: str) -> EmrServerlessStartJobOperator:
    """Publish an export; the job fails, and so does the task, unless the load is complete."""
    return EmrServerlessStartJobOperator(
        task_id=f"load_{export}",
        application_id=APPLICATION,
        execution_role_arn=ROLE,
        job_driver=job_of(export),
        # By default EMR stops a job after 12 hours, and Airflow gives up after 25 minutes.
        config={"executionTimeoutMinutes": 6 * 60},
        waiter_delay=30,
        waiter_max_attempts=7 * 60 * 2,
        retries=2,
        retry_delay=timedelta(minutes=5),
    )
