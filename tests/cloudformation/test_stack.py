"""The stack, deployed by the emulator's CloudFormation, and its state machine, executed there."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import pytest

from tests.support.cloud import (
    Cloud,
    Execution,
    Job,
    JobFailed,
    cloud,
    ended,
    execute,
    with_activities,
)

pytestmark = pytest.mark.integration

PARAMETERS = {
    "Name": "user-items",
    "ExportName": "user_items",
    "TableName": "user_items",
    "PartitionKey": "user_id",
    "IndexName": "by_country",
    "IndexKey": "country",
    "Host": "warehouse.example.com",
    "Database": "dev",
    "BucketName": "loader-storage",
    "ArtifactBucket": "artifacts",
    "Wheel": "redshift_to_dynamodb-1.0-py3-none-any.whl",
    "Email": "data-platform@example.com",
    "DatabaseUser": "loader",
    "StoragePrefix": "loader",
    "ArtifactPrefix": "loader",
    "JdbcDriver": "redshift-jdbc42-2.3.0.jar",
    "Target": "prod",
}
TOPIC = "arn:aws:sns:us-east-1:000000000000:alarms"
PIPELINE = (
    *("ExportName", "Host", "Database", "DatabaseUser", "BucketName", "StoragePrefix"),
    *("ArtifactBucket", "ArtifactPrefix", "Wheel", "JdbcDriver", "Target"),
)


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    with cloud(tmp_path_factory.mktemp("cloud")) as running:
        yield running


@pytest.fixture(scope="module")
def outputs(emulator: Cloud) -> dict[str, str]:
    return emulator.deploy("user-items", "main.yaml", **PARAMETERS)


@pytest.mark.usefixtures("outputs")
def test_the_table_is_on_demand_with_its_key_and_index_and_cannot_be_deleted(
    emulator: Cloud,
) -> None:
    dynamodb = emulator.client("dynamodb")

    table = dynamodb.describe_table(TableName="user_items")["Table"]

    assert table["KeySchema"] == [{"AttributeName": "user_id", "KeyType": "HASH"}]
    assert table["BillingModeSummary"]["BillingMode"] == "PAY_PER_REQUEST"
    assert [index["IndexName"] for index in table["GlobalSecondaryIndexes"]] == ["by_country"]
    with pytest.raises(dynamodb.exceptions.ClientError, match="protect"):
        dynamodb.delete_table(TableName="user_items")


def test_a_table_of_its_own_has_a_sort_key_and_provisioned_capacity(emulator: Cloud) -> None:
    emulator.deploy(
        "orders",
        "table.yaml",
        TableName="orders",
        PartitionKey="customer_id",
        PartitionKeyType="N",
        SortKey="ordered_at",
        BillingMode="PROVISIONED",
        ReadCapacity="10",
        WriteCapacity="500",
        AlarmTopic=TOPIC,
    )

    table = emulator.client("dynamodb").describe_table(TableName="orders")["Table"]

    assert {d["AttributeName"]: d["AttributeType"] for d in table["AttributeDefinitions"]} == {
        "customer_id": "N",
        "ordered_at": "S",
    }
    assert [key["AttributeName"] for key in table["KeySchema"]] == ["customer_id", "ordered_at"]
    assert table["BillingModeSummary"]["BillingMode"] == "PROVISIONED"
    # The emulator keeps the texts of the template.
    capacity = {unit: int(value) for unit, value in table["ProvisionedThroughput"].items()}
    assert capacity == {"ReadCapacityUnits": 10, "WriteCapacityUnits": 500}
    assert "GlobalSecondaryIndexes" not in table


@pytest.mark.usefixtures("outputs")
def test_the_bucket_is_private_and_versioned_and_refuses_plain_text(
    emulator: Cloud,
) -> None:
    s3, bucket = emulator.client("s3"), {"Bucket": "loader-storage"}

    access = s3.get_public_access_block(**bucket)["PublicAccessBlockConfiguration"]
    [statement] = json.loads(s3.get_bucket_policy(**bucket)["Policy"])["Statement"]

    assert access == dict.fromkeys(
        ("BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets"), True
    )
    assert s3.get_bucket_versioning(**bucket)["Status"] == "Enabled"
    assert (statement["Effect"], statement["Action"]) == ("Deny", "s3:*")
    assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


def statements_of(emulator: Cloud, description: str) -> dict[str, list[dict[str, Any]]]:
    """The statements of a role by the name of their policy."""
    iam = emulator.client("iam")
    [role] = [role for role in iam.list_roles()["Roles"] if role.get("Description") == description]
    name = role["RoleName"]
    return {
        policy: iam.get_role_policy(RoleName=name, PolicyName=policy)["PolicyDocument"]["Statement"]
        for policy in iam.list_role_policies(RoleName=name)["PolicyNames"]
    }


def entries(statement: dict[str, Any], field: str) -> list[str]:
    value = statement[field]
    return [value] if isinstance(value, str) else value


def policies_of(emulator: Cloud, description: str) -> dict[str, set[str]]:
    """The actions of a role by the name of their policy."""
    return {
        policy: {action for statement in statements for action in entries(statement, "Action")}
        for policy, statements in statements_of(emulator, description).items()
    }


def test_the_roles_have_only_what_their_jobs_do(emulator: Cloud, outputs: dict[str, str]) -> None:
    job = policies_of(emulator, "The load of user-items")
    build = policies_of(emulator, "The dbt build of user-items")
    pipeline = policies_of(emulator, "The state machine of user-items")
    schedule = policies_of(emulator, "The schedule of user-items")

    shared = {
        "artifacts": {"s3:GetObject", "s3:GetObjectVersion"},
        "secrets-manager": {"secretsmanager:GetSecretValue"},
    }
    assert job == shared | {
        "dynamodb-load": {
            "dynamodb:DescribeTable",
            "dynamodb:DescribeTimeToLive",
            "dynamodb:BatchWriteItem",
        },
        "storage-s3": {
            "s3:ListBucket",
            "s3:GetObject",
            "s3:PutObject",
            "s3:DeleteObject",
            "s3:AbortMultipartUpload",
        },
        "sns-notify": {"sns:Publish"},
        "job": {
            "s3:GetObject",
            "logs:CreateLogGroup",
            "logs:CreateLogStream",
            "logs:DescribeLogStreams",
            "logs:PutLogEvents",
        },
    }
    assert build == shared | {
        "build": {
            "s3:GetBucketAcl",
            "s3:GetBucketLocation",
            "s3:PutObject",
            "logs:CreateLogStream",
            "logs:PutLogEvents",
        }
    }
    assert pipeline == {
        "pipeline": {
            "states:ListExecutions",
            "codebuild:StartBuild",
            "codebuild:StopBuild",
            "codebuild:BatchGetBuilds",
            "events:PutTargets",
            "events:PutRule",
            "events:DescribeRule",
        },
        "glue": {
            "glue:StartJobRun",
            "glue:GetJobRun",
            "glue:GetJobRuns",
            "glue:BatchStopJobRun",
        },
    }
    assert schedule == {"schedule": {"states:StartExecution"}}


def test_the_load_may_use_only_the_resources_of_the_stack(
    emulator: Cloud, outputs: dict[str, str]
) -> None:
    policies = statements_of(emulator, "The load of user-items")
    log_groups = policies.pop("job")[1]["Resource"]

    assert log_groups.endswith(":log-group:/aws-glue/*")
    assert {
        name: [resource for statement in statements for resource in entries(statement, "Resource")]
        for name, statements in policies.items()
    } == {
        "artifacts": ["arn:aws:s3:::artifacts/loader/*"],
        "dynamodb-load": ["arn:aws:dynamodb:us-east-1:000000000000:table/user_items"],
        "secrets-manager": [outputs["SecretArn"]],
        "sns-notify": [outputs["TopicArn"]],
        "storage-s3": ["arn:aws:s3:::loader-storage", "arn:aws:s3:::loader-storage/loader/*"],
    }


def test_the_schedule_waits_for_the_first_run_by_hand(
    emulator: Cloud, outputs: dict[str, str]
) -> None:
    schedule = emulator.client("scheduler").get_schedule(Name="user-items")

    assert (schedule["State"], schedule["Target"]["Arn"]) == (
        "DISABLED",
        outputs["StateMachineArn"],
    )


def test_every_alarm_notifies_the_topic(emulator: Cloud, outputs: dict[str, str]) -> None:
    described = emulator.client("cloudwatch").describe_alarms()["MetricAlarms"]

    own = ("user-items-", "user_items-")
    alarms = [
        alarm
        for alarm in described
        if alarm["AlarmName"].startswith(own) and "user-items-2" not in alarm["AlarmName"]
    ]

    assert {alarm["AlarmName"] for alarm in alarms} == {
        "user-items-failed",
        "user-items-guarded",
        "user-items-incomplete",
        "user_items-by_country-writes-throttled",
        "user_items-writes-throttled",
    }
    dimensions = {
        alarm["AlarmName"]: {d["Name"]: d["Value"] for d in alarm["Dimensions"]} for alarm in alarms
    }
    machine = {"StateMachineArn": outputs["StateMachineArn"]}
    assert dimensions["user-items-failed"] == machine
    export = {"export": "user_items", "table": "user_items"}
    assert dimensions["user-items-guarded"] == dimensions["user-items-incomplete"] == export
    assert [alarm["AlarmActions"] for alarm in alarms] == [[outputs["TopicArn"]]] * 5


def test_the_alarm_on_missing_runs_exists_while_the_schedule_is_enabled(
    emulator: Cloud, outputs: dict[str, str]
) -> None:
    """An alarm that is already in ALARM when the schedule is enabled would not notify."""
    client = emulator.client("cloudwatch")
    own = {"Name": "scheduled", "ExportName": "user_items", "TableName": "user_items"}
    emulator.deploy("scheduled", "alarms.yaml", **own, ScheduleState="ENABLED")

    [alarm] = client.describe_alarms(AlarmNames=["scheduled-missing"])["MetricAlarms"]
    without = client.describe_alarms(AlarmNames=["user-items-missing"])["MetricAlarms"]

    machine = outputs["StateMachineArn"].replace("user-items", "scheduled")
    assert alarm["Dimensions"] == [{"Name": "StateMachineArn", "Value": machine}]
    assert (alarm["ActionsEnabled"], without) == (True, [])


@pytest.mark.usefixtures("outputs")
def test_a_stack_uses_a_table_and_a_bucket_that_exist(emulator: Cloud) -> None:
    names = {"Name": "user-items-2", "CreateTable": "false", "CreateBucket": "false"}

    emulator.deploy("user-items-2", "main.yaml", **PARAMETERS | names)

    resources = emulator.client("cloudformation").describe_stack_resources(StackName="user-items-2")
    assert {resource["LogicalResourceId"] for resource in resources["StackResources"]} == {
        "Alarms",
        "Glue",
        "Pipeline",
        "Roles",
        "Secret",
    }


@pytest.mark.usefixtures("outputs")
def test_a_stack_in_a_vpc_signs_in_to_a_cluster_by_iam_and_uses_a_key(emulator: Cloud) -> None:
    key = "arn:aws:kms:us-east-1:000000000000:key/11111111-2222-3333-4444-555555555555"
    emulator.deploy(
        "orders-in-vpc",
        "main.yaml",
        **PARAMETERS
        | {"Name": "orders-in-vpc", "CreateTable": "false", "BucketName": "orders-storage"},
        SignIn="Cluster",
        ClusterId="warehouse",
        KmsKeyArn=key,
        TableKmsKeyArn=f"{key}-of-table",
        VpcId="vpc-1",
        SubnetIds="subnet-1,subnet-2",
        SecurityGroupIds="sg-1",
        AvailabilityZone="us-east-1a",
    )
    glue = emulator.client("glue")
    job = glue.get_job(JobName="orders-in-vpc")["Job"]
    network = glue.get_connection(Name="orders-in-vpc")["Connection"]
    load = statements_of(emulator, "The load of orders-in-vpc")
    build = statements_of(emulator, "The dbt build of orders-in-vpc")
    cluster = "arn:aws:redshift:us-east-1:000000000000"

    assert job["Connections"] == {"Connections": ["orders-in-vpc"]}
    assert network["PhysicalConnectionRequirements"] == {
        "SubnetId": "subnet-1",
        "SecurityGroupIdList": ["sg-1"],
        "AvailabilityZone": "us-east-1a",
    }
    assert {"redshift-cluster", "key", "network"} <= set(load) & set(build)
    assert [s["Resource"] for s in load["dynamodb-kms"]] == [f"{key}-of-table"]
    assert {"secrets-manager", "redshift-serverless"} & set(load | build) == set()
    assert load["redshift-cluster"][0]["Resource"] == [
        f"{cluster}:dbuser:warehouse/loader",
        f"{cluster}:dbname:warehouse/dev",
    ]


def complete(_: dict[str, Any]) -> dict[str, str]:
    return {}


def fails(**facts: str) -> Job:
    def job(_: dict[str, Any]) -> None:
        raise JobFailed(json.dumps(facts, separators=(",", ":")))

    return job


# Before the models are built.
FIRST = ("WaitForTheList", "ListEarlierRuns", "IsOnlyRun")
BUILD_FAILED = {"BuildStatus": "FAILED", "Id": "user-items:1"}


def glue(message: str, state: str = "FAILED") -> dict[str, str]:
    """As Step Functions has a job run of Glue that failed."""
    category = "Error Category: UNCLASSIFIED_ERROR; Failed Line Number: 71; "
    return {"JobRunState": state, "ErrorMessage": f"{category}LoadFailed: {message}"}


def emr(code: int) -> dict[str, str]:
    """As Step Functions has a job run of EMR Serverless that failed."""
    details = f"Job failed, please check complete logs. ExitCode: {code}. Last few exceptions:"
    return {"State": "FAILED", "StateDetails": details}


@dataclass(frozen=True)
class Case:
    """What the load's job or else the build answers, and the last state, which names the error."""

    end: str
    failure: dict[str, str] | None = None
    engine: str = "glue"
    # Instead of that of the job.
    cause: str = ""

    @property
    def jobs(self) -> dict[str, Job]:
        failed = fails(**self.failure) if self.failure else complete
        if self.end == "ModelsNotBuilt":
            return {"codebuild": failed, self.engine: complete}
        return {"codebuild": complete, self.engine: failed}

    @property
    def states(self) -> list[str]:
        if self.end == "ModelsNotBuilt":
            return [*FIRST, "BuildModels", self.end]
        read = ["ReadExitCode"] if self.failure else []
        return [*FIRST, "BuildModels", "Load", *read, self.end]


EMR = "emr-serverless"
STOPPED = "The load was stopped by its time limit or by a user. The next run finishes it."
CASES = {
    "complete": Case("Complete"),
    "not-built": Case("ModelsNotBuilt", {"BuildStatus": "FAILED", "Id": "user-items:1"}),
    "incomplete": Case("Incomplete", glue("exit code 1: 3 items were not sent")),
    "refused": Case("Refused", glue("exit code 2: max_deletes must hold")),
    "failed": Case("LoadFailed", glue("exit code 137: killed")),
    "too-long": Case("LoadStopped", {"JobRunState": "TIMEOUT"}, cause=STOPPED),
    "stopped": Case("LoadStopped", {"JobRunState": "STOPPED"}, cause=STOPPED),
    "emr-complete": Case("Complete", engine=EMR),
    "emr-not-built": Case("ModelsNotBuilt", {"BuildStatus": "FAILED"}, EMR),
    "emr-incomplete": Case("Incomplete", emr(1), EMR),
    "emr-refused": Case("Refused", emr(2), EMR),
    "emr-failed": Case("LoadFailed", emr(137), EMR),
    "emr-stopped": Case("LoadStopped", {"State": "CANCELLED"}, EMR, STOPPED),
}


@pytest.fixture(scope="module")
def executions(emulator: Cloud, outputs: dict[str, str]) -> dict[str, Execution]:
    """All cases at the same time, because the emulator looks for tasks twice a second."""
    names = ("BuildRoleArn", "JobRoleArn", "PipelineRoleArn", "ScheduleRoleArn")
    roles = dict.fromkeys(names, "arn:aws:iam::000000000000:role/example")
    emr_machine = emulator.deploy(
        "user-items-emr",
        "pipeline.yaml",
        **{name: PARAMETERS[name] for name in PIPELINE},
        **roles,
        Name="user-items-emr",
        Engine="EmrServerless",
        ApplicationId="00example0app0id",
        AlarmTopic=TOPIC,
    )
    arns = {
        "glue": outputs["StateMachineArn"],
        "emr-serverless": emr_machine["StateMachineArn"],
    }

    def run(name: str) -> Execution:
        return execute(emulator, arns[CASES[name].engine], name, CASES[name].jobs)

    with ThreadPoolExecutor(len(CASES)) as threads:
        return dict(zip(CASES, threads.map(run, CASES), strict=True))


@pytest.mark.parametrize("case", CASES)
def test_the_state_machine_stops_with_the_cause_of_the_job_that_failed(
    executions: dict[str, Execution], case: str
) -> None:
    expected, execution = CASES[case], executions[case]
    failed = expected.failure is not None

    assert execution.states == expected.states
    assert execution.status == ("FAILED" if failed else "SUCCEEDED")
    assert execution.error == (expected.end if failed else None)
    if expected.cause:
        assert execution.cause == expected.cause
    else:
        assert (json.loads(execution.cause) if execution.cause else None) == expected.failure


def test_the_load_never_starts_if_the_models_are_not_built(
    executions: dict[str, Execution],
) -> None:
    assert "Load" not in executions["not-built"].states + executions["emr-not-built"].states


def test_of_runs_that_start_together_only_the_first_builds_the_models(
    emulator: Cloud, outputs: dict[str, str]
) -> None:
    states = emulator.client("stepfunctions")
    copy, activities = with_activities(
        emulator, outputs["StateMachineArn"], "together", ["codebuild"]
    )

    def start(name: str) -> Any:
        client = emulator.client("stepfunctions")
        return client.start_execution(stateMachineArn=copy, name=name, input="{}")

    with ThreadPoolExecutor(3) as threads:
        runs = list(threads.map(start, ("a", "b", "c")))
    first, *others = sorted((run["startDate"], run["executionArn"]) for run in runs)
    ends = [ended(emulator, arn) for _, arn in others]
    build = states.get_activity_task(activityArn=activities["codebuild"])
    states.send_task_failure(taskToken=build["taskToken"], error="Example", cause="no model")
    end = ended(emulator, first[1])

    assert (end["error"], end["cause"]) == ("ModelsNotBuilt", "no model")
    assert [(end["error"], end["cause"]) for end in ends] == [
        (
            "AnotherRun",
            f"A run must start after the end of the one before, got {first[1]} in progress: "
            "nothing was built or loaded. Wait for its end, and make the interval of the schedule "
            "longer than a run.",
        )
    ] * 2


def test_a_load_ends_before_the_state_machine_gives_up(
    emulator: Cloud, outputs: dict[str, str], executions: dict[str, Execution]
) -> None:
    """Step Functions does not stop a job whose state times out, and takes only numbers."""
    states = emulator.client("stepfunctions")
    machine = states.describe_state_machine(stateMachineArn=outputs["StateMachineArn"])
    minutes = int(emulator.client("glue").get_job(JobName="user-items")["Job"]["Timeout"])

    assert json.loads(machine["definition"])["States"]["Load"]["TimeoutSeconds"] == 180_000
    assert (minutes, executions["emr-complete"].inputs[EMR]["ExecutionTimeoutMinutes"]) == (
        480,
        480,
    )


def test_the_job_of_emr_serverless_has_the_words_of_the_command(
    executions: dict[str, Execution],
) -> None:
    job = executions["emr-complete"].inputs[EMR]

    assert job["JobDriver"]["SparkSubmit"]["EntryPointArguments"] == [
        "load",
        "--bundle",
        "s3://loader-storage/bundles/user-items-emr.json",
        "--export",
        "user_items",
        "--storage",
        "s3://loader-storage/loader",
        "--metrics",
        "emf",
        "--notify",
        TOPIC,
        "--write-capacity",
        "50%",
    ]
