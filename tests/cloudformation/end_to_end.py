"""The commands of docs/deploy-with-cloudformation.md, and a load by what they deployed.

The aws command is real, AWS is the emulator. `.ci/cloudformation` runs this, because `aws` is no
package of the project. Step Functions of the emulator does not start CodeBuild and Glue: the
commands of the deployed build and the deployed job run on this machine instead.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import textwrap
import venv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from loader.observe import emf
from pip_settings import uv_settings
from sandbox import Sandbox
from tests.support.cloud import Cloud, JobFailed, cloud, execute
from tests.support.repository import REPOSITORY
from tests.support.sandboxes import running_sandbox
from tests.support.wheels import build_wheel

pytestmark = pytest.mark.integration

PAGE = (REPOSITORY / "docs" / "deploy-with-cloudformation.md").read_text(encoding="utf-8")
# Tested elsewhere; here the wheel is built without them, and the archives are empty.
BUILDS = ("make package", "deploy/build.sh")
ARCHIVES = ("loader.gluewheels.zip", "environment.tar.gz")


def blocks(heading: str) -> list[str]:
    """The commands of a section of the page."""
    section = PAGE.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    found = re.findall(r"^( *)```bash\n(.*?)^ *```", section, re.DOTALL | re.MULTILINE)
    return [textwrap.dedent(text) for _, text in found]


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    with cloud(tmp_path_factory.mktemp("cloud")) as running:
        yield running


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    with running_sandbox(tmp_path_factory.mktemp("sandbox")) as sandbox:
        yield sandbox


@pytest.fixture(scope="module")
def environment(emulator: Cloud, sandbox: Sandbox) -> dict[str, str]:
    variables = {
        **os.environ,
        **sandbox.env(),
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "AWS_ENDPOINT_URL": emulator.url,
    }
    return {n: v for n, v in variables.items() if not n.startswith("AWS_ENDPOINT_URL_")}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, sandbox: Sandbox) -> Path:
    """A clone, with the wheel, empty archives and the secret's file."""
    clone = tmp_path_factory.mktemp("clone")
    subprocess.run(["git", "clone", "--quiet", REPOSITORY, clone], check=True)
    for name in ("deploy", "docs"):  # with what is not committed yet
        shutil.copytree(REPOSITORY / name, clone / name, dirs_exist_ok=True)
    (clone / "dist").mkdir()
    shutil.copy(build_wheel(tmp_path_factory.mktemp("source")), clone / "dist")
    for name in ARCHIVES:
        (clone / "dist" / name).touch()
    (clone / "redshift-jdbc42-2.3.0.jar").touch()
    secret = {
        n: sandbox.env()[f"REDSHIFT_{v}"]
        for n, v in (("username", "USER"), ("password", "PASSWORD"))
    }
    (clone / "dist" / "secret.json").write_text(json.dumps(secret))
    return clone


@pytest.fixture(scope="module")
def run(folder: Path, environment: dict[str, str]) -> Any:
    def run(commands: str, directory: Path = folder, **variables: str) -> str:
        """Run commands in a shell that ends at the first that fails; returns their output."""
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", commands],
            cwd=directory,
            env=environment | variables,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{commands}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    return run


@pytest.fixture(scope="module")
def deployed(run: Any) -> str:
    """The ARN of the state machine of the stack that the page deploys."""
    run("aws s3 mb s3://example-artifacts")
    upload, deploy, secret, start, enable = blocks("Deploy")
    run("\n".join(line for line in upload.splitlines() if not line.startswith(BUILDS)))
    for commands in (deploy, secret, start, enable):
        run(commands)
    arn = run(start.split("aws stepfunctions")[0] + 'echo "$arn"')
    return arn.strip()


def test_the_page_deploys_the_stack_and_enables_its_schedule(
    deployed: str, emulator: Cloud
) -> None:
    schedule = emulator.client("scheduler").get_schedule(Name="user-items")

    assert (schedule["State"], schedule["Target"]["Arn"]) == ("ENABLED", deployed)


def test_the_artifacts_are_where_the_job_looks_for_them(deployed: str, emulator: Cloud) -> None:
    job = emulator.client("glue").get_job(JobName="user-items")["Job"]
    [build] = emulator.client("codebuild").batch_get_projects(names=["user-items"])["projects"]
    arguments = job["DefaultArguments"]
    variables = {v["name"]: v["value"] for v in build["environment"]["environmentVariables"]}
    names = [
        job["Command"]["ScriptLocation"],
        arguments["--additional-python-modules"],
        arguments["--extra-jars"],
        *(
            f"{variables['ARTIFACTS']}/{name}"
            for name in (variables["WHEEL"], "bootstrap.txt", "constraints.txt")
        ),
        f"s3://{build['source']['location']}",
    ]

    listed = emulator.client("s3").list_objects_v2(Bucket="example-artifacts", Prefix="loader/")
    keys = {f"s3://example-artifacts/{entry['Key']}" for entry in listed["Contents"]}

    assert [name for name in names if name not in keys] == []


def build_models(emulator: Cloud, run: Any, project: Path, folder: Path) -> Any:
    """CodeBuild: the commands of the deployed project, with its variables and a new Python.

    The search path has only the shims of that Python and its pip, as in the images of CodeBuild:
    pyenv makes no shim of what another installer than pip installs.
    """
    [build] = emulator.client("codebuild").batch_get_projects(names=["user-items"])["projects"]
    secrets = emulator.client("secretsmanager")
    variables = {}
    for variable in build["environment"]["environmentVariables"]:
        value = variable["value"]
        if variable.get("type") == "SECRETS_MANAGER":
            arn, _, key = value.rpartition(":")
            value = json.loads(secrets.get_secret_value(SecretId=arn)["SecretString"])[key]
        variables[variable["name"]] = value
    # The warehouse and the profile's target are those of the sandbox.
    for name in ("REDSHIFT_HOST", "REDSHIFT_DATABASE", "DBT_TARGET"):
        variables.pop(name)
    phases = yaml.safe_load(build["source"]["buildspec"])["phases"]
    commands = [command for phase in phases.values() for command in phase["commands"]]
    venv.create(folder / "python", with_pip=True)
    shims = folder / "shims"
    shims.mkdir()
    for name in ("python", "pip"):
        (shims / name).write_text(f'#!/bin/sh\nexec "{folder}/python/bin/{name}" "$@"\n')
        (shims / name).chmod(0o755)
    others = [
        path
        for path in os.environ["PATH"].split(":")
        if not any((Path(path) / name).exists() for name in ("dbt", "loader"))
    ]
    path = ":".join([str(shims), *others])
    script = "\n".join(commands).replace("/tmp/loader", str(folder / "loader"))  # noqa: S108

    def job(_: dict[str, Any]) -> dict[str, str]:
        given = {**uv_settings(), **variables, "PATH": path, "DBT_TARGET": "sandbox"}
        run(script, project, **given)
        return {"BuildStatus": "SUCCEEDED"}

    return job


def load(emulator: Cloud, environment: dict[str, str], folder: Path, *more: str) -> Any:
    """Glue: the deployed job's script with its arguments, by this machine's Spark."""
    job = emulator.client("glue").get_job(JobName="user-items")["Job"]
    arguments = dict(job["DefaultArguments"])
    arguments["--loader"] = " ".join([arguments["--loader"], *more])

    def run_job(_: dict[str, Any]) -> dict[str, str]:
        words = [word for pair in arguments.items() for word in pair]
        done = subprocess.run(
            [sys.executable, folder / "deploy" / "load.py", "--JOB_NAME", "user-items", *words],
            cwd=folder,
            env=environment | {"PYTHONPATH": str(REPOSITORY)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert f'"Namespace": "{emf.NAMESPACE}"' in done.stdout
        assert "cannot send" not in done.stderr  # to the topic
        if done.returncode:
            # Glue's error message is the last exception.
            raise JobFailed(json.dumps({"ErrorMessage": done.stderr.strip().splitlines()[-1]}))
        return {"output": done.stdout[-4000:]}

    return run_job


def test_an_execution_builds_the_models_and_loads_them_into_the_table(
    deployed: str,
    emulator: Cloud,
    run: Any,
    environment: dict[str, str],
    folder: Path,
    tmp_path: Path,
) -> None:
    jobs = {
        "codebuild": build_models(emulator, run, folder / "dbt_project", tmp_path),
        "glue": load(emulator, environment, folder),
    }

    execution = execute(emulator, deployed, "loads", jobs, seconds=300)

    assert (execution.status, execution.error, execution.cause) == ("SUCCEEDED", None, None)
    dynamodb = emulator.client("dynamodb")
    pages = dynamodb.get_paginator("scan").paginate(TableName="user_items", Select="COUNT")
    assert sum(page["Count"] for page in pages) == 4314


def test_a_guard_fails_the_execution_with_its_message(
    deployed: str,
    emulator: Cloud,
    environment: dict[str, str],
    folder: Path,
) -> None:
    refused = load(emulator, environment, folder, "--min-rows", "999999999")
    jobs = {"codebuild": lambda _: {}, "glue": refused}

    execution = execute(emulator, deployed, "refused", jobs, seconds=300)

    assert (execution.status, execution.error) == ("FAILED", "Refused")
    assert re.search(
        r"exit code 2: [^{]* must read at least 999,999,999 rows", str(execution.cause)
    )


def test_the_commands_of_an_alarm_and_of_the_removal_run(
    deployed: str, run: Any, emulator: Cloud
) -> None:
    failed, once = blocks("When an alarm goes off")
    [remove] = blocks("Remove")

    assert run(failed)
    assert shlex.split(once)[:3] == ["aws", "glue", "start-job-run"]
    run(once)
    stack, kept = remove.split("aws dynamodb", 1)
    run(stack)
    # The emulator deletes what nested stacks retain: it is made again for the commands that follow.
    topic = "arn:aws:sns:us-east-1:000000000000:alarms"
    table = {"TableName": "user_items", "PartitionKey": "user_id", "AlarmTopic": topic}
    emulator.deploy("table", "table.yaml", **table)
    emulator.deploy("secret", "secret.yaml", Name="user-items", DatabaseUser="loader")
    run(f"aws dynamodb{kept}")

    assert emulator.client("dynamodb").list_tables()["TableNames"] == []
