"""The files of deploy/ as the services read them: the words of a spark-submit."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.recipes.artifacts import Artifacts
from tests.support.repository import REPOSITORY

DEPLOY = REPOSITORY / "deploy"
# The options whose values are files.
FILES = ("--jars", "--archives", "spark.archives")
EMR_SERVERLESS, YARN = "spark.emr-serverless.driverEnv.", "spark.yarn.appMasterEnv."
# A Glue job gets these, too; one of them has no value.
GLUE_ADDS = [
    *("--enable-metrics", "--JOB_ID", "j_1", "--JOB_RUN_ID", "jr_1", "--JOB_NAME", "loader"),
    *(
        "--job-bookmark-option",
        "job-bookmark-disable",
        "--TempDir",
        "s3://example-bucket/temporary/",
    ),
]


@dataclass
class Submit:
    """`options` of spark-submit, the script, its words, and variables of the driver."""

    options: list[str]
    script: str
    words: list[str]
    variables: dict[str, str] = field(default_factory=dict)


def read(name: str) -> Any:
    return json.loads((DEPLOY / name).read_text())


def glue(artifacts: Artifacts, changes: Sequence[str]) -> Submit:
    """deploy/glue/job.json; `changes` are words at the end of the command."""
    job = read("glue/job.json")
    given = dict(job["DefaultArguments"])
    given["--loader"] = shlex.join([*shlex.split(given["--loader"]), *changes])
    words = [word for pair in given.items() for word in pair]
    jars = ["--jars", artifacts.file(given["--extra-jars"])]
    script = artifacts.file(job["Command"]["ScriptLocation"])
    return Submit(jars, script, [*GLUE_ADDS, *words])


def emr(artifacts: Artifacts, changes: Sequence[str]) -> Submit:
    """The step of deploy/emr/steps.json."""
    [step] = read("emr/steps.json")
    assert step["Args"][0] == "spark-submit"
    return _split(artifacts, step["Args"][1:], changes)


def emr_client(artifacts: Artifacts, changes: Sequence[str]) -> Submit:
    """The spark-submit of deploy/emr/client.sh, and what the script exports."""
    text = (DEPLOY / "emr/client.sh").read_text().replace("\\\n", " ")
    [line] = [line for line in text.splitlines() if line.startswith("spark-submit ")]
    [export] = [line for line in text.splitlines() if line.startswith("export ")]
    submit = _split(artifacts, shlex.split(line)[1:], changes)
    submit.variables = dict(word.split("=", 1) for word in shlex.split(export)[1:])
    return submit


def emr_serverless(artifacts: Artifacts, changes: Sequence[str]) -> Submit:
    """deploy/emr-serverless/job.json."""
    job = read("emr-serverless/job.json")["jobDriver"]["sparkSubmit"]
    words = [job["entryPoint"], *job["entryPointArguments"]]
    return _split(artifacts, [*shlex.split(job["sparkSubmitParameters"]), *words], changes)


def _split(artifacts: Artifacts, words: Sequence[str], changes: Sequence[str]) -> Submit:
    """Options, script and words of a spark-submit, with local files for those on S3."""
    submit = Submit([], "", [])
    rest = iter(words)
    for word in rest:
        if not word.startswith("--"):
            submit.script = artifacts.file(word)
            break
        submit.options += _option(artifacts, word, next(rest))
    submit.words = [*rest, *changes]
    for prefix in (EMR_SERVERLESS, YARN):
        submit.variables |= dict(_variables(submit.options, prefix))
    return submit


def _option(artifacts: Artifacts, option: str, value: str) -> list[str]:
    name, _, setting = value.partition("=") if option == "--conf" else (option, "", value)
    if name in FILES:
        setting = artifacts.file(setting)
    return [option, f"{name}={setting}" if option == "--conf" else setting]


def _variables(options: Sequence[str], prefix: str) -> Iterator[tuple[str, str]]:
    for option in options:
        if option.startswith(prefix):
            name, _, value = option.removeprefix(prefix).partition("=")
            yield name, value
