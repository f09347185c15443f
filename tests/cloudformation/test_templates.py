"""What holds for the templates of deploy/cloudformation, whatever a tool says about them."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from docs import roles
from loader import cli
from loader.observe import emf
from loader.observe.figures import UNITS
from loader.observe.run_end import ExportEnd, RunEnd
from tests.support.repository import REPOSITORY
from tests.support.templates import NAMES, TEMPLATES, template

NESTED = {
    name: resource["Properties"]
    for name, resource in template("main.yaml")["Resources"].items()
    if resource["Type"] == "AWS::CloudFormation::Stack"
}


@pytest.mark.parametrize("name", NAMES)
def test_template_parameters_and_outputs_are_described(name: str) -> None:
    document = template(name)

    entries = [*document["Parameters"].values(), *document["Outputs"].values()]
    assert [entry for entry in entries if not entry.get("Description")] == []
    assert document["Description"]


def nulls(value: Any) -> int:
    children = value.values() if isinstance(value, dict) else value
    return sum(map(nulls, children)) if isinstance(value, dict | list) else int(value is None)


@pytest.mark.parametrize("name", NAMES)
def test_a_template_has_no_null_which_cloudformation_refuses(name: str) -> None:
    assert nulls(template(name)) == 0


@pytest.mark.parametrize("name", NAMES)
def test_every_parameter_is_used(name: str) -> None:
    text = (TEMPLATES / name).read_text()

    unused = [
        parameter
        for parameter in template(name)["Parameters"]
        if not re.search(rf"!Ref {parameter}\b|\$\{{{parameter}\}}|Ref: {parameter}\b", text)
    ]
    assert unused == []


def test_the_main_template_nests_every_other_one() -> None:
    assert sorted([*(stack["TemplateURL"] for stack in NESTED.values()), "main.yaml"]) == NAMES


@pytest.mark.parametrize("stack", NESTED)
def test_a_nested_stack_gets_parameters_that_it_has_and_all_that_it_needs(stack: str) -> None:
    given = set(NESTED[stack]["Parameters"])
    declared = template(NESTED[stack]["TemplateURL"])["Parameters"]

    assert given - set(declared) == set()
    assert {name for name, of in declared.items() if "Default" not in of} - given == set()


@pytest.mark.parametrize("stack", NESTED)
def test_a_parameter_that_is_passed_on_is_the_same_in_both_templates(stack: str) -> None:
    outer = template("main.yaml")["Parameters"]
    inner = template(NESTED[stack]["TemplateURL"])["Parameters"]
    same = [name for name, value in NESTED[stack]["Parameters"].items() if value == {"Ref": name}]

    different = {
        (name, key)
        for name in same
        for key in ("Default", "AllowedValues", "MinValue", "MaxValue")
        if key in inner[name] and inner[name][key] != outer[name].get(key)
    }
    assert different == {("ScheduleState", "Default")} & different


def filled(value: Any) -> Any:
    """A policy of the template with the placeholders of docs/iam in place of its parameters."""
    if isinstance(value, list):
        return [filled(entry) for entry in value]
    if isinstance(value, dict):
        if list(value) == ["Fn::Sub"]:
            text = str(value["Fn::Sub"])
            for placeholder, parameter in PLACEHOLDERS:
                text = text.replace(parameter, placeholder)
            return text
        return {name: filled(entry) for name, entry in value.items()}
    return value


PLACEHOLDERS = (
    ("arn:aws:kms:REGION:ACCOUNT:key/KEY_ID", "${TableKmsKeyArn}"),
    ("arn:aws:secretsmanager:REGION:ACCOUNT:secret:NAME-??????", "${SecretArn}"),
    ("arn:aws:sns:REGION:ACCOUNT:TOPIC", "${AlarmTopic}"),
    ("aws", "${AWS::Partition}"),
    ("REGION", "${AWS::Region}"),
    ("ACCOUNT", "${AWS::AccountId}"),
    ("user_items", "${TableName}"),
    ("BUCKET", "${BucketName}"),
    ("PREFIX", "${StoragePrefix}"),
    ("WORKGROUP_ID", "${WorkgroupId}"),
    ("CLUSTER", "${ClusterId}"),
    ("loader", "${DatabaseUser}"),
    ("DATABASE", "${Database}"),
)


@pytest.mark.parametrize("name", roles.POLICIES)
def test_the_roles_have_the_policies_of_docs_iam(name: str) -> None:
    [policy] = [
        resource["Properties"]["PolicyDocument"]
        for resource in template("roles.yaml")["Resources"].values()
        if resource["Properties"].get("PolicyName") == name
    ]

    assert filled(policy) == json.loads((REPOSITORY / "docs/iam" / f"{name}.json").read_text())


def test_no_object_of_the_storage_expires_while_it_is_current() -> None:
    bucket = template("storage.yaml")["Resources"]["Bucket"]["Properties"]

    assert [
        sorted(set(rule) - {"Id", "Status"}) for rule in bucket["LifecycleConfiguration"]["Rules"]
    ] == [
        ["ExpiredObjectDeleteMarker", "NoncurrentVersionExpiration"],
        ["AbortIncompleteMultipartUpload"],
    ]


def test_the_storage_is_encrypted_by_the_key_or_else_by_amazon_s3() -> None:
    bucket = template("storage.yaml")["Resources"]["Bucket"]["Properties"]

    # The emulator ignores it, so the stack's test cannot see it.
    assert bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"] == [
        {
            "ServerSideEncryptionByDefault": {
                "SSEAlgorithm": {"Fn::If": ["HasKey", "aws:kms", "AES256"]},
                "KMSMasterKeyID": {
                    "Fn::If": ["HasKey", {"Ref": "KmsKeyArn"}, {"Ref": "AWS::NoValue"}]
                },
            },
            "BucketKeyEnabled": {"Fn::If": ["HasKey", True, False]},
        }
    ]


def test_emr_serverless_must_have_a_vpc_because_without_one_it_reaches_no_warehouse() -> None:
    rule = template("main.yaml")["Rules"]["EmrServerlessHasVpc"]
    application = template("emr-serverless.yaml")["Resources"]["Application"]["Properties"]
    names = ["VpcId", "SubnetIds", "SecurityGroupIds"]

    assert rule["RuleCondition"] == {"Fn::Equals": [{"Ref": "Engine"}, "EmrServerless"]}
    assert [assertion["Assert"] for assertion in rule["Assertions"]] == [
        {"Fn::Not": [{"Fn::Equals": [{"Ref": name}, ""]}]} for name in names
    ]
    assert application["NetworkConfiguration"] == {name: {"Ref": name} for name in names[1:]}


def test_the_build_writes_no_bundle_of_models_that_failed() -> None:
    build = template("pipeline.yaml")["Resources"]["Build"]["Properties"]
    spec = yaml.safe_load(build["Source"]["BuildSpec"])

    # CodeBuild runs post_build and finally after a failed build phase too.
    assert list(spec["phases"]) == ["install", "build"]
    words = [command.split()[:2] for command in spec["phases"]["build"]["commands"]]
    assert [(Path(program).name, verb) for program, verb in words] == [
        ("dbt", "deps"),
        ("dbt", "build"),
        ("loader", "bundle"),
    ]
    # pyenv, the Python of the image, finds only programs that pip has installed.
    assert [program for program, _ in words if not Path(program).is_absolute()] == []


def test_the_alarms_watch_metrics_that_a_run_publishes() -> None:
    alarms = [
        resource["Properties"]
        for resource in template("alarms.yaml")["Resources"].values()
        if resource["Type"] == "AWS::CloudWatch::Alarm"
    ]

    ours = [alarm for alarm in alarms if not alarm["Namespace"].startswith("AWS/")]
    assert {alarm["Namespace"] for alarm in ours} == {emf.NAMESPACE}
    assert {alarm["MetricName"] for alarm in ours} == {"incomplete", "guarded"}
    assert {alarm["MetricName"] for alarm in ours} <= set(UNITS)
    end = ExportEnd("user_items", "incomplete", table="user_items")
    [line] = emf.lines(RunEnd("load", 1, 0.0, 1.0, [end]), 0)
    [published] = json.loads(line)["_aws"]["CloudWatchMetrics"]
    for alarm in ours:
        assert [d["Name"] for d in alarm["Dimensions"]] in published["Dimensions"]
        assert alarm["MetricName"] in [metric["Name"] for metric in published["Metrics"]]


def limits(value: Any) -> list[Any]:
    """The limits in seconds of a definition of Step Functions, at any depth."""
    if isinstance(value, list):
        return [limit for entry in value for limit in limits(entry)]
    if not isinstance(value, dict):
        return []
    own = [value["TimeoutSeconds"]] if "TimeoutSeconds" in value else []
    return own + limits(list(value.values()))


def test_the_limits_of_the_state_machine_are_numbers() -> None:
    """Step Functions refuses `!Ref` of a parameter of type Number, which CloudFormation has as a
    text: https://github.com/aws/serverless-application-model/issues/1616"""
    machine = template("pipeline.yaml")["Resources"]["StateMachine"]["Properties"]["Definition"]

    assert [type(limit) for limit in limits(machine)] == [int] * 4


def test_a_build_and_a_load_that_take_too_long_end_before_the_state_machine_gives_up() -> None:
    """Step Functions does not stop a job whose state times out."""
    parameters = template("pipeline.yaml")["Parameters"]
    build = template("pipeline.yaml")["Resources"]["Build"]["Properties"]
    states = template("pipeline.yaml")["Resources"]["StateMachine"]["Properties"]["Definition"]
    built = parameters["BuildMinutes"]["MaxValue"] + build["QueuedTimeoutInMinutes"]

    assert built * 60 < states["States"]["BuildModels"]["TimeoutSeconds"]
    for waits in limits(states["States"]["Load"]):
        assert parameters["LoadMinutes"]["MaxValue"] * 60 < waits


@pytest.mark.parametrize("name", ["glue.yaml", "pipeline.yaml"])
def test_the_command_of_the_job_is_understood_and_publishes_the_metrics(name: str) -> None:
    text = (TEMPLATES / name).read_text()
    [command] = re.findall(r"\bload --bundle .*\n.*\$\{LoaderOptions\}", text)
    options = template(name)["Parameters"]["LoaderOptions"]["Default"]

    words = re.sub(r"\$\{LoaderOptions\}", options, command).split()
    parsed = cli.parser().parse_args(words)

    assert (parsed.metrics, parsed.notify) == ("emf", "${AlarmTopic}")


def of_recipe(text: str) -> str:
    """A text of a template with the names of the recipes in place of its parameters."""
    for parameter, name in (
        ("${ArtifactBucket}/${ArtifactPrefix}", "example-bucket/loader"),
        ("${JdbcDriver}", template("main.yaml")["Parameters"]["JdbcDriver"]["Default"]),
        ("${AWS::Region}", "eu-west-1"),
    ):
        text = text.replace(parameter, name)
    return text


def test_the_glue_job_is_that_of_the_recipe() -> None:
    recipe = json.loads((REPOSITORY / "deploy/glue/job.json").read_text())
    job = template("glue.yaml")["Resources"]["Job"]["Properties"]
    arguments = {
        name: of_recipe(value["Fn::Sub"]) if "Fn::Sub" in value else value
        for name, value in job["DefaultArguments"].items()
    }
    command = {"--loader", "--AWS_REGION"}

    assert set(arguments) == set(recipe["DefaultArguments"])
    assert {n: v for n, v in arguments.items() if n not in command} == {
        n: v for n, v in recipe["DefaultArguments"].items() if n not in command
    }
    assert of_recipe(job["Command"].pop("ScriptLocation")["Fn::Sub"]) == recipe["Command"].pop(
        "ScriptLocation"
    )
    same = ("Command", "MaxRetries", "ExecutionProperty")
    assert {name: job[name] for name in same} == {name: recipe[name] for name in same}


def test_the_job_of_emr_serverless_is_that_of_the_recipe() -> None:
    recipe = json.loads((REPOSITORY / "deploy/emr-serverless/job.json").read_text())
    machine = template("pipeline.yaml")["Resources"]["StateMachine"]["Properties"]
    [_, _, load] = machine["Definition"]["States"]["Load"]["Fn::If"]
    job = load["Parameters"]["JobDriver"]["SparkSubmit"]
    driver = recipe["jobDriver"]["sparkSubmit"]

    assert of_recipe(job["EntryPoint"]["Fn::Sub"]) == driver["entryPoint"]
    assert of_recipe(job["SparkSubmitParameters"]["Fn::Sub"]) == driver["sparkSubmitParameters"]
