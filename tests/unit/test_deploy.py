"""The files of deploy/: the script of a job, the inputs of the AWS CLI, and the image."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import pytest
from botocore.session import get_session
from botocore.validate import validate_parameters
from pyspark import SparkContext

from loader import cli
from loader.observe import emf
from loader.observe.run_end import ExportEnd, RunEnd
from loader.spark import submitted_errors
from loader.spark.properties import JVM_OF_SPARK_SUBMIT
from loader.warehouse.connection import DRIVERS
from tests.support.pipes import pipe_for
from tests.support.repository import REPOSITORY, files_below

DEPLOY = REPOSITORY / "deploy"
PAGE = (REPOSITORY / "docs" / "run-on-aws.md").read_text()
COMMANDS = re.findall(r"^aws (?!s3 ).+", PAGE, re.MULTILINE)
STORAGE = re.compile(r"""(?:--storage"?,? "?|STORAGE = ")(s3://example-bucket[\w/.-]*)""")
# What Glue adds to the parameters of a job: one of them has no value.
GLUE_ADDS = ["--enable-metrics", "--JOB_ID", "j_1", "--JOB_NAME", "loader"]


def load_script() -> Any:
    spec = importlib.util.spec_from_file_location("load", DEPLOY / "load.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Loader:
    """In the place of `loader.cli.main`: prints lines, and returns an exit code."""

    def __init__(self, code: int, *lines: str) -> None:
        self.code, self.lines = code, lines
        self.commands: list[Sequence[str] | None] = []

    def __call__(self, command: Sequence[str] | None = None) -> int:
        self.commands.append(command)
        for number, line in enumerate(self.lines):
            print(line, file=sys.stderr if number % 2 else sys.stdout)
        return self.code


def test_the_command_of_a_glue_job_is_one_parameter_between_those_that_glue_adds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    script, loader = load_script(), Loader(0)
    monkeypatch.setattr(script, "main", loader)
    command = "load --export a 'b c' --storage s3://example-bucket/runs --create-table"

    script.run_glue_job(script.parameters([*GLUE_ADDS, "--loader", command, "--TempDir", "s3://t"]))

    assert loader.commands == [
        ["load", "--export", "a", "b c", "--storage", "s3://example-bucket/runs", "--create-table"]
    ]


def test_the_error_of_a_glue_job_is_the_exit_code_and_the_last_line_of_the_loader(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    script = load_script()
    monkeypatch.setattr(script, "main", Loader(2, "started", "1 problem", "", "  1  no table\n"))

    with pytest.raises(script.LoadFailed) as failed:
        script.run_glue_job({"loader": "load"})

    assert str(failed.value) == "exit code 2: 1  no table"
    assert capsys.readouterr().out == "started\n1 problem\n\n  1  no table\n\n"


def test_the_error_of_a_glue_job_is_its_cause_and_not_its_metrics(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`--metrics emf` prints a line per export after the cause."""
    script = load_script()
    end = RunEnd("load", 2, 0.0, 1.0, [ExportEnd(name, "refused") for name in ("a", "b")])
    metrics = list(emf.lines(end, 0))
    monkeypatch.setattr(script, "main", Loader(2, "started", "  1  no table", *metrics))

    with pytest.raises(script.LoadFailed) as failed:
        script.run_glue_job({"loader": "load"})

    assert str(failed.value) == "exit code 2: 1  no table"
    assert [line for line in capsys.readouterr().out.splitlines() if "_aws" in line] == metrics


def test_a_glue_job_whose_command_is_not_understood_fails_with_the_reason() -> None:
    script = load_script()

    with pytest.raises(script.LoadFailed) as failed:
        script.run_glue_job({"loader": "load --exprot user_items"})

    assert str(failed.value) == (
        "exit code 2: loader: error: unrecognized arguments: --exprot user_items"
    )


def test_under_spark_submit_the_error_of_a_glue_job_is_its_cause(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """spark-submit makes one pipe of both outputs, so the loader looks for its JVM."""
    monkeypatch.setenv(JVM_OF_SPARK_SUBMIT, "1")
    monkeypatch.setattr(SparkContext, "_ensure_initialized", lambda: None)
    monkeypatch.setattr(SparkContext, "_jvm", MagicMock())
    monkeypatch.setattr(submitted_errors, "_are_merged", lambda: True)
    script = load_script()

    with pytest.raises(script.LoadFailed) as failed:
        script.run_glue_job({"loader": "load --exprot user_items"})

    message = "loader: error: unrecognized arguments: --exprot user_items"
    assert str(failed.value) == f"exit code 2: {message}"
    assert capfd.readouterr().out.endswith(f"{message}\n")


def test_a_glue_job_goes_on_when_the_reader_of_its_output_has_gone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The reader is spark-submit's JVM, which may end before the loader."""
    script = load_script()
    monkeypatch.setattr(script, "main", Loader(1, "started", "Spark's JVM ended"))

    with pipe_for(1) as reader:
        os.close(reader)
        with pytest.raises(script.LoadFailed) as failed:
            script.run_glue_job({"loader": "load"})

    assert str(failed.value) == "exit code 1: Spark's JVM ended"


@pytest.mark.parametrize(
    ("set_by_glue", "region"),
    [
        ({}, "eu-west-1"),
        ({"AWS_REGION": "us-east-1"}, "us-east-1"),
        ({"AWS_DEFAULT_REGION": "us-east-1"}, None),
    ],
)
def test_the_region_of_a_glue_job_is_its_parameter_if_glue_has_set_none(
    monkeypatch: pytest.MonkeyPatch, set_by_glue: dict[str, str], region: str | None
) -> None:
    script = load_script()
    monkeypatch.setattr(script, "main", Loader(0))
    environment = dict(set_by_glue)
    monkeypatch.setattr(script.os, "environ", environment)

    script.run_glue_job({"loader": "status", "AWS_REGION": "eu-west-1"})

    assert environment.get("AWS_REGION") == region


def parameters_of(words: list[str]) -> Any:
    """The parameters of an `aws` command on the page, from its files."""
    parameters: dict[str, Any] = {}
    for option, value in zip(words[::2], words[1::2], strict=True):
        name = option.removeprefix("--")
        content = (
            (REPOSITORY / value.removeprefix("file://")).read_text() if "file" in value else ""
        )
        if name == "cli-input-json":
            parameters |= json.loads(content)
        elif name == "cluster-id":
            parameters["JobFlowId"] = value
        elif name == "steps":
            steps = json.loads(content)
            parameters["Steps"] = [emr_step(**step) for step in steps]
        else:
            parameters[name.title().replace("-", "")] = value
    return parameters


def emr_step(Name: str, ActionOnFailure: str, Type: str, Jar: str, Args: list[str]) -> Any:  # noqa: N803
    """The step of the API for the short form that the AWS CLI reads."""
    assert Type == "CUSTOM_JAR"
    step = {"Jar": Jar, "Args": Args}
    return {"Name": Name, "ActionOnFailure": ActionOnFailure, "HadoopJarStep": step}


@pytest.mark.parametrize("command", COMMANDS)
def test_the_inputs_of_the_aws_commands_have_the_form_that_the_service_expects(
    command: str,
) -> None:
    _, service, name, *words = shlex.split(command)
    model = get_session().get_service_model(service)
    operation = {"add-steps": "AddJobFlowSteps"}.get(name, name.title().replace("-", ""))
    shape = model.operation_model(operation).input_shape
    parameters = parameters_of(words)
    if "clientToken" in shape.required_members:  # the AWS CLI adds it
        parameters["clientToken"] = "token"

    validate_parameters(parameters, shape)
    assert set(parameters) <= set(shape.members)


def commands_of_jobs() -> list[list[str]]:
    """The loader's command in each recipe."""
    glue = json.loads((DEPLOY / "glue/job.json").read_text())["DefaultArguments"]["--loader"]
    [step] = json.loads((DEPLOY / "emr/steps.json").read_text())
    serverless = json.loads((DEPLOY / "emr-serverless/job.json").read_text())["jobDriver"]
    client = (DEPLOY / "emr/client.sh").read_text().replace("\\\n", " ")
    return [
        shlex.split(glue),
        after_the_script(step["Args"]),
        serverless["sparkSubmit"]["entryPointArguments"],
        after_the_script(shlex.split(client.splitlines()[-1])),
    ]


def after_the_script(words: list[str]) -> list[str]:
    return words[words.index("s3://example-bucket/loader/load.py") + 1 :]


@pytest.mark.parametrize("page", ["run-on-aws.md", "deploy-with-cloudformation.md"])
def test_each_command_for_a_glue_job_is_understood(page: str) -> None:
    text = (REPOSITORY / "docs" / page).read_text()

    commands = re.findall(r'"--loader": "([^"]+)"', text)

    assert commands
    for command in commands:
        assert cli.parser().parse_args(shlex.split(command))


def test_the_jobs_run_the_same_command() -> None:
    first, *others = commands_of_jobs()

    assert others == [first] * 3
    assert cli.parser().parse_args(first)


def test_all_examples_have_one_storage_and_one_bundle() -> None:
    """A user who goes from one page to another would otherwise begin a second state."""
    folders = (DEPLOY, REPOSITORY / "docs")
    files = [REPOSITORY / "README.md", *(path for f in folders for path in f.rglob("*.*"))]
    texts = [path.read_text() for path in files if path.suffix in (".json", ".md", ".py", ".sh")]
    texts.append((DEPLOY / "docker/Dockerfile").read_text())

    storages = {s for text in texts for s in re.findall(STORAGE, text)}
    bundles = {b for text in texts for b in re.findall(r"s3://[\w/.-]+\.json", text)}
    folders_of_bundles = {f for text in texts for f in re.findall(r'BUNDLES = "(.*)"', text)}

    assert storages == {"s3://example-bucket/loader"}
    assert folders_of_bundles == {"s3://example-bucket/bundles"}
    # The second is that of the stack, which has the name of the stack.
    assert {b for b in bundles if "/bundle" in b} == {
        "s3://example-bucket/bundles/user_items.json",
        "s3://example-bucket/bundles/user-items.json",
    }


def test_the_jobs_and_the_image_have_the_driver_of_the_loader() -> None:
    package = DRIVERS["redshift"].package
    texts = [path.read_text() for path in files_below(DEPLOY)]

    jars = {jar for text in texts for jar in re.findall(r"redshift-jdbc42-[\d.]*\d", text)}
    packages = {p for text in texts for p in re.findall(r"[\w.]+:redshift-jdbc42:\S+\d", text)}

    assert jars == {package.split(":", 1)[1].replace(":", "-")}
    assert packages == {package}


def test_every_file_of_a_recipe_is_on_the_page() -> None:
    files = {str(path.relative_to(REPOSITORY)) for path in files_below(DEPLOY)}
    recipes = {file for file in files if Path(file).parts[1] in ("glue", "emr", "emr-serverless")}

    assert set(re.findall(r"<!-- (deploy/\S+):begin -->", PAGE)) >= recipes
    named = re.findall(r"deploy/[\w./-]*\w", PAGE)
    assert sorted(files & {"deploy/load.py", "deploy/build.sh", "deploy/upload.sh"}) == sorted(
        {"deploy/load.py", "deploy/build.sh", "deploy/upload.sh"} & set(named)
    )


def test_the_image_is_built_from_files_that_its_ignore_file_lets_in() -> None:
    dockerfile = (DEPLOY / "docker/Dockerfile").read_text()
    allowed = (DEPLOY / "docker/Dockerfile.dockerignore").read_text().splitlines()

    sources = re.findall(r"^COPY (?!--from)(.*) /build/$", dockerfile, re.MULTILINE)

    assert sources == ["bootstrap.txt constraints.txt", "dist/redshift_to_dynamodb-*.whl"]
    assert allowed == ["*", "!bootstrap.txt", "!constraints.txt", "!dist/*.whl"]


@pytest.mark.parametrize("file", ["build.sh", "docker/Dockerfile"])
def test_what_is_built_for_a_cluster_or_a_container_can_send_a_trace(file: str) -> None:
    [extras] = re.findall(r"redshift-to-dynamodb\[(\S+)\] @", (DEPLOY / file).read_text())

    assert "otel" in extras.split(",")


def test_no_page_or_message_installs_the_loader_from_an_index() -> None:
    """It is on none, so an extra follows the file of the wheel."""
    folders = [REPOSITORY / name for name in ("loader", "deploy", "docs")]
    texts = {
        path: path.read_text()
        for f in folders
        for path in f.rglob("*.*")
        if path.suffix in (".md", ".py", ".sh", ".yaml") and path.parent.name != "decisions"
    }

    found = {p.name for p, t in texts.items() if re.search(r"redshift-to-dynamodb\[\S+\](?! @)", t)}
    assert found == set()


def test_the_upload_copies_every_file_that_the_jobs_name(tmp_path: Path) -> None:
    shutil.copytree(DEPLOY, tmp_path / "deploy")
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "aws").write_text('#!/bin/sh\necho "$@" >>"$COPIED"\n')
    (programs / "aws").chmod(0o755)
    copied = tmp_path / "copied"
    jar = "redshift-jdbc42-2.3.0.jar"

    subprocess.run(
        [tmp_path / "deploy/upload.sh", "s3://example-bucket/loader", jar],
        env={"PATH": f"{programs}:{os.environ['PATH']}", "COPIED": str(copied)},
        check=True,
    )

    lines = [line.split() for line in copied.read_text().splitlines()]
    assert all(line[:3] == ["s3", "cp", "--no-progress"] for line in lines)
    recipes = [DEPLOY / "glue", DEPLOY / "emr", DEPLOY / "emr-serverless"]
    texts = [file.read_text() for recipe in recipes for file in files_below(recipe)]
    named = {n for text in texts for n in re.findall(r"s3://example-bucket/loader/([\w.-]+)", text)}
    assert {Path(line[3]).name for line in lines} == named
    assert {line[4] for line in lines} == {"s3://example-bucket/loader/"}
