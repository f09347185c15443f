"""The emulator with the services of deploy/cloudformation, and stubs of its jobs."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from sandbox.ports import free_ports
from sandbox.processes import Daemon
from sandbox.settings import REGION, Settings, user_environment
from tests.support.templates import TEMPLATES

SERVICES = (
    *("cloudformation", "codebuild", "dynamodb", "events", "glue", "iam", "logs", "monitoring"),
    *("s3", "scheduler", "secretsmanager", "sns", "states", "sts"),
)
SECONDS = 60.0
# The tasks of the state machine that the emulator does not run.
JOBS = ("codebuild:startBuild.sync", "glue:startJobRun.sync", "emr-serverless:startJobRun.sync")


@dataclass(frozen=True)
class Cloud:
    """A running emulator."""

    url: str

    def client(self, service: str) -> Any:
        return boto3.client(  # type: ignore[call-overload]
            service,
            endpoint_url=self.url,
            region_name=REGION,
            aws_access_key_id="sandbox",
            aws_secret_access_key="sandbox",  # noqa: S106
            config=Config(retries={"total_max_attempts": 1}),
        )

    def deploy(self, stack: str, name: str, **parameters: str) -> dict[str, str]:
        """Create a stack as `aws cloudformation package` and `deploy` do; returns its outputs."""
        body = (TEMPLATES / name).read_text(encoding="utf-8")
        s3, formation = self.client("s3"), self.client("cloudformation")
        s3.create_bucket(Bucket="templates")
        for path in TEMPLATES.glob("*.yaml"):
            s3.put_object(Bucket="templates", Key=path.name, Body=path.read_bytes())
            body = body.replace(
                f"TemplateURL: {path.name}", f"TemplateURL: {self.url}/templates/{path.name}"
            )
        formation.create_stack(
            StackName=stack,
            TemplateBody=body,
            Capabilities=["CAPABILITY_IAM"],
            Parameters=[
                {"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()
            ],
        )
        formation.get_waiter("stack_create_complete").wait(
            StackName=stack, WaiterConfig={"Delay": 1, "MaxAttempts": int(SECONDS)}
        )
        [created] = formation.describe_stacks(StackName=stack)["Stacks"]
        return {output["OutputKey"]: output["OutputValue"] for output in created["Outputs"]}


@contextmanager
def cloud(folder: Path) -> Iterator[Cloud]:
    (port,) = free_ports(1)
    settings = Settings(folder)
    daemon = Daemon("cloud", folder)
    daemon.start(
        [str(settings.venv / "bin" / "ministack")],
        {
            **user_environment(),
            "BIND_HOST": "127.0.0.1",
            "GATEWAY_PORT": str(port),
            "SERVICES": ",".join(SERVICES),
            "LOG_LEVEL": "WARNING",
            "SFN_WAIT_SCALE": "0",  # no state waits, and no retry
            "TMPDIR": str(daemon.folder),
        },
    )
    running = Cloud(f"http://127.0.0.1:{port}")
    try:
        daemon.require_ready(lambda: _answers(running))
        yield running
    finally:
        daemon.stop()


def _answers(running: Cloud) -> bool:
    try:
        running.client("cloudformation").list_stacks()
    except (BotoCoreError, ClientError):  # it does not listen yet
        return False
    return True


@dataclass(frozen=True)
class JobFailed(Exception):
    """A stub's answer: error and cause as Step Functions has them of a job that failed."""

    cause: str
    error: str = "States.TaskFailed"


Job = Callable[[dict[str, Any]], object]


@dataclass(frozen=True)
class Execution:
    """How an execution ended, and the names of the states that it entered."""

    status: str
    states: list[str]
    error: str | None = None
    cause: str | None = None
    inputs: dict[str, dict[str, Any]] = field(default_factory=dict)


def execute(
    cloud: Cloud, arn: str, name: str, jobs: Mapping[str, Job], seconds: float = SECONDS
) -> Execution:
    """Execute a copy of the state machine, with functions that answer for its jobs, in order."""
    states = cloud.client("stepfunctions")
    copy, activities = with_activities(cloud, arn, name, jobs)
    execution = states.start_execution(stateMachineArn=copy, input="{}")["executionArn"]
    inputs = {}
    for service, job in jobs.items():
        task = states.get_activity_task(activityArn=activities[service])
        inputs[service] = json.loads(task["input"])
        try:
            output = json.dumps(job(inputs[service]))
        except JobFailed as failed:
            answer = {"taskToken": task["taskToken"], "error": failed.error}
            states.send_task_failure(**answer, cause=failed.cause)
            break
        states.send_task_success(taskToken=task["taskToken"], output=output)
    end = ended(cloud, execution, seconds)
    events = states.get_execution_history(executionArn=execution, maxResults=1000)["events"]
    details = [event.get("stateEnteredEventDetails") for event in events]
    entered = [detail["name"] for detail in details if detail]
    return Execution(end["status"], entered, end.get("error"), end.get("cause"), inputs)


def with_activities(
    cloud: Cloud, arn: str, name: str, services: Iterable[str]
) -> tuple[str, dict[str, str]]:
    """The ARN of a copy of the state machine, and the ARNs of its activities by their service.

    The emulator does not run CodeBuild, Glue and EMR Serverless for a state machine: the copy has
    an activity instead of each.
    """
    states = cloud.client("stepfunctions")
    machine = states.describe_state_machine(stateMachineArn=arn)
    definition, activities = machine["definition"], {}
    for service in services:
        [resource] = [f"arn:aws:states:::{of}" for of in JOBS if of.startswith(f"{service}:")]
        assert resource in definition
        activities[service] = states.create_activity(name=f"{name}-{service}")["activityArn"]
        definition = definition.replace(resource, activities[service])
    made = {"name": name, "definition": definition, "roleArn": machine["roleArn"]}
    return states.create_state_machine(**made)["stateMachineArn"], activities


def ended(cloud: Cloud, execution: str, seconds: float = SECONDS) -> dict[str, Any]:
    """The description of an execution, after its end."""
    states = cloud.client("stepfunctions")
    deadline = time.monotonic() + seconds
    while True:
        end: dict[str, Any] = states.describe_execution(executionArn=execution)
        if end["status"] != "RUNNING":
            return end
        assert time.monotonic() < deadline, f"the execution still runs after {seconds:g} s"
        threading.Event().wait(0.1)
