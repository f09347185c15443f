"""Bad input, one case per row with the whole output; no warehouse is used.

To add a case, add a row: the difference to a good run, and the problems that are reported.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
from pyspark import SparkContext

from loader import cli
from tests.support.http_server import serving
from tests.support.manifests import MODEL, exposure, manifest, results

Capture = pytest.CaptureFixture[str]

PROJECT = "name: shop\nprofile: shop\n"
PROFILE = """\
shop:
  target: prod
  outputs:
    prod:
      type: redshift
      method: database
      host: 127.0.0.1
      port: 5439
      dbname: dev
      user: loader
      password: hunter2
      schema: analytics
      sslmode: verify-full
"""
SETTINGS: dict[str, Any] = {
    "table": "user_items",
    "key": "user_id",
    "partition_column": "partition_id",
    "partitions": 30,
}


def project_manifest(name: str = "user_items", **settings: Any) -> dict[str, Any]:
    return manifest(exposure(name, {**SETTINGS, **settings}))


class Described(BaseHTTPRequestHandler):
    """A DynamoDB that knows one table."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        table = {
            "TableName": "user_items",
            "TableStatus": "ACTIVE",
            "KeySchema": [{"AttributeName": "user_id", "KeyType": "HASH"}],
            "AttributeDefinitions": [{"AttributeName": "user_id", "AttributeType": "S"}],
        }
        body = json.dumps({"Table": table}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture(scope="module")
def dynamodb() -> Iterator[str]:
    with serving(Described) as port:
        yield f"http://127.0.0.1:{port}"


def forget_spark(monkeypatch: pytest.MonkeyPatch) -> None:
    """A session of another test needs no start, so no Java."""
    monkeypatch.setattr(SparkContext, "_active_spark_context", None)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dynamodb: str) -> Path:
    """The current folder: a good dbt project `p`, a Java in name; and a good environment."""
    import boto3

    monkeypatch.chdir(tmp_path)
    # boto3 keeps what it once found.
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    for name in ("AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", dynamodb)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "example")
    for name in ("TARGET", "TARGET_PATH", "PROFILE", "PROFILES_DIR", "PROJECT_DIR"):
        monkeypatch.delenv(f"DBT_{name}", raising=False)
        monkeypatch.delenv(f"DBT_ENGINE_{name}", raising=False)
    for name in ("AWS_ENDPOINT_URL_REDSHIFT_SERVERLESS", "AWS_REGION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "aws.config")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    java = tmp_path / "jdk" / "bin" / "java"
    java.parent.mkdir(parents=True)
    java.write_text("#!/bin/sh\necho 'openjdk version \"17.0.9\"' >&2\n")
    java.chmod(0o700)
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "jdk"))
    (tmp_path / "p" / "target").mkdir(parents=True)
    write("p/dbt_project.yml", PROJECT)
    write("p/profiles.yml", PROFILE)
    write("p/target/manifest.json", json.dumps(project_manifest()))
    write("p/target/run_results.json", json.dumps(results()))
    write("a-file", "")
    return tmp_path


def write(path: str, text: str) -> None:
    Path(path).write_text(text, errors="surrogateescape")


def screen(problems: list[str], subject: str = "the run") -> str:
    count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
    lines = [f"  {number}  {problem}" for number, problem in enumerate(problems, 1)]
    return "\n".join([f"{count} with {subject}, nothing was written", *lines, ""])


def refused(capsys: Capture, *arguments: str) -> str:
    capsys.readouterr()
    assert cli.main(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    return err


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (
            ["--queries", "0"],
            "--queries must be a positive whole number, got 0: set it to 1 or more",
        ),
        (
            ["--requests", "-3"],
            "--requests must be a positive whole number, got -3: set it to 1 or more",
        ),
        (
            ["--retry-seconds", "0"],
            "--retry-seconds must be above 0, got 0: give a number of seconds",
        ),
        (
            ["--retry-seconds", "nan"],
            "--retry-seconds must be above 0, got nan: give a number of seconds",
        ),
        (
            ["--storage", ""],
            "--storage must be a folder or s3://bucket/prefix, got : give one of them",
        ),
        (
            ["--storage", "s3://"],
            "--storage must be a folder or s3://bucket/prefix, got s3://: give one of them",
        ),
        (
            ["--storage", "s3a://bucket/x"],
            "--storage must be a folder or s3://bucket/prefix, got s3a://bucket/x: "
            "give one of them",
        ),
        (
            ["--spark-conf", "spark.hadoop.fs.s3a.secret.key=hunter2"],
            "--spark-conf must not contain a secret, which every user of this machine can see, got "
            "spark.hadoop.fs.s3a.secret.key: write it to spark-defaults.conf, or give Spark a role",
        ),
        (
            [
                "--spark-conf",
                "spark.driver.extraJavaOptions=-Djavax.net.ssl.trustStorePassword=hunter2",
            ],
            "--spark-conf must not contain a secret, which every user of this machine can see, got "
            "spark.driver.extraJavaOptions: write it to spark-defaults.conf, or give Spark a role",
        ),
        (
            ["--vars", "{db_password: hunter2}"],
            "--vars must not contain a secret, which every user of this machine can see, "
            "got db_password: use env_var() in profiles.yml",
        ),
    ],
)
def test_a_bad_option_is_refused(arguments: list[str], problem: str, capsys: Capture) -> None:
    assert refused(capsys, "load", *arguments) == screen([problem], "the settings")


@pytest.mark.parametrize("text", ["a", "", "[a]", "{a: b"])
def test_variables_are_a_mapping(text: str, capsys: Capture) -> None:
    problem = f"--vars must be a mapping in YAML, got {text}: write 'name: value'"

    assert refused(capsys, "load", "--vars", text) == screen([problem])


PROFILE_REMEDY = (
    "Check profiles.yml, the target, --vars and the environment variables it names "
    "(sandbox: `python -m sandbox env`)"
)


def unreadable(reason: str) -> str:
    return f"cannot read the dbt profile in p: {reason}. {PROFILE_REMEDY}"


def invalid(reason: str) -> str:
    return unreadable(
        f'Runtime Error Credentials in profile "shop", target "prod" invalid: {reason}'
    )


def plain_text(service: str, url: str) -> str:
    return (
        f"endpoint of {service} must be https:// unless it is on this machine, got {url}: "
        "use https, or accept plain text with --allow-plain-http"
    )


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        (
            "password: hunter2",
            "password: 7654321",
            invalid("*** is not valid under any of the given schemas"),
        ),
        (
            "password: hunter2",
            "pass: [hunter2]",
            invalid("['***'] is not valid under any of the given schemas"),
        ),
        ("port: 5439", "port: many", invalid("'many' is not of type 'integer'")),
        ("      host: 127.0.0.1\n", "", invalid("'host' is a required property")),
        (
            "sslmode: verify-full",
            "sslmode: verify",
            invalid(
                "'verify' is not one of ['disable', 'allow', 'prefer', 'require', 'verify-ca', "
                "'verify-full']"
            ),
        ),
        (
            "type: redshift",
            "type: bigquery",
            "dbt profile must be of type redshift or postgres, got bigquery: choose another target",
        ),
        (
            "      type: redshift\n",
            "",
            unreadable(
                'Runtime Error required field "type" not found in profile shop and target prod'
            ),
        ),
        (
            "target: prod",
            "target: nowhere",
            unreadable(
                "Runtime Error The profile 'shop' does not have a target named 'nowhere'. "
                "The valid target names for this profile are: - prod"
            ),
        ),
        ("shop:", "store:", unreadable("Runtime Error Could not find profile named 'shop'")),
        (
            "host: 127.0.0.1",
            "host: \"{{ env_var('NO_SUCH_VARIABLE') }}\"",
            unreadable("Parsing Error Env var required but not provided: 'NO_SUCH_VARIABLE'"),
        ),
        (
            "password: hunter2",
            "password: hunter2: x",
            unreadable(
                "Runtime Error dbt encountered an error while trying to read your profiles.yml "
                "file. Runtime Error Syntax error near line 11 mapping values are not allowed in "
                'this context in "<unicode string>", line 11, column 24'
            ),
        ),
        (
            "method: database",
            "method: browser",
            "dbt profile's method must be database, iam or iam_role, got browser: "
            "choose another target",
        ),
        (
            PROFILE,
            "",
            unreadable(
                "Runtime Error dbt encountered an error while trying to read your profiles.yml "
                "file. The profiles.yml file at p/profiles.yml is empty"
            ),
        ),
        (PROFILE, "- shop\n", unreadable("it is not a mapping")),
        (
            PROFILE,
            "\udce9",  # é in latin-1
            unreadable(
                "'utf-8' codec can't decode byte 0xe9 in position 0: unexpected end of data"
            ),
        ),
    ],
)
def test_a_bad_profile_is_refused(
    old: str, new: str, problem: str, place: Path, capsys: Capture
) -> None:
    assert old in PROFILE
    write("p/profiles.yml", PROFILE.replace(old, new))

    err = refused(capsys, "plan", "--project-dir", "p")

    assert err == screen([problem], "export user_items")


@pytest.mark.parametrize(
    ("document", "problem"),
    [
        (
            "",
            "cannot read dbt manifest p/target/manifest.json: Expecting value: line 1 column "
            "1 (char 0). Run `dbt parse` again",
        ),
        (
            "[]",
            "dbt manifest p/target/manifest.json must be a JSON object, got []: "
            "run `dbt parse` again",
        ),
        (
            {},
            "the dbt project must declare an export, got no exposure with config.meta.dynamodb: "
            "add one (docs/exports.md)",
        ),
        (
            project_manifest("../items"),
            "export ../items: name must be ASCII letters, digits, _ -, got ../items: "
            "rename the exposure",
        ),
        (
            project_manifest("artículos"),
            "export artículos: name must be ASCII letters, digits, _ -, got artículos: "
            "rename the exposure",
        ),
        (
            {**project_manifest(), "nodes": {}},
            "export user_items: depends_on must be a node of the manifest, got "
            f"{MODEL}: "
            "run `dbt parse`",
        ),
        (
            project_manifest(collect={"": {"column": "item_id"}}),
            "export user_items: collect must name each attribute in text, got '': put it in quotes",
        ),
    ],
)
def test_a_bad_manifest_is_refused(
    document: Any, problem: str, place: Path, capsys: Capture
) -> None:
    text = document if isinstance(document, str) else json.dumps(document)
    write("p/target/manifest.json", text)

    assert refused(capsys, "plan", "--project-dir", "p") == screen([problem])


@pytest.mark.parametrize(
    ("environment", "problem"),
    [
        (
            {"AWS_ENDPOINT_URL_DYNAMODB": "http://dynamodb.example:8000"},
            plain_text("DynamoDB", "http://dynamodb.example:8000"),
        ),
        (
            {"AWS_ENDPOINT_URL_DYNAMODB": "", "AWS_ENDPOINT_URL": "http://10.0.0.7:4566"},
            plain_text("DynamoDB", "http://10.0.0.7:4566"),
        ),
        (
            {"AWS_ENDPOINT_URL_DYNAMODB": "localhost:8000"},
            "cannot create a DynamoDB client: Invalid endpoint: localhost:8000. Check "
            "AWS_REGION, AWS_PROFILE and AWS_ENDPOINT_URL_DYNAMODB (sandbox: "
            "`python -m sandbox env`)",
        ),
        (
            {"AWS_DEFAULT_REGION": "eu west"},
            "cannot create a DynamoDB client: Provided region_name 'eu west' doesn't match a "
            "supported format. Check AWS_REGION, AWS_PROFILE and "
            "AWS_ENDPOINT_URL_DYNAMODB (sandbox: `python -m sandbox env`)",
        ),
        (
            {"AWS_PROFILE": "nobody"},
            "cannot create a DynamoDB client: The config profile (nobody) could not be found. "
            "Check AWS_REGION, AWS_PROFILE and AWS_ENDPOINT_URL_DYNAMODB (sandbox: "
            "`python -m sandbox env`)",
        ),
        (
            {"AWS_CA_BUNDLE": "no-such.pem"},
            "AWS_CA_BUNDLE or ca_bundle must be a PEM file of certificates, got no-such.pem "
            "(No such file or directory): correct the path, or unset it to trust the default "
            "authorities",
        ),
        (
            {"AWS_CA_BUNDLE": "a-file"},
            "AWS_CA_BUNDLE or ca_bundle must be a PEM file of certificates, got a-file "
            "(no certificate in it): correct the path, or unset it to trust the default "
            "authorities",
        ),
    ],
)
def test_an_environment_without_a_usable_dynamodb_is_refused(
    environment: dict[str, str],
    problem: str,
    place: Path,
    capsys: Capture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)

    err = refused(capsys, "show", "user_items", "1", "--project-dir", "p")

    assert err == screen([problem])


@pytest.mark.parametrize(
    ("environment", "arguments", "subject", "problem"),
    [
        (
            {"AWS_ENDPOINT_URL_S3": "http://minio.example:9000"},
            ["--storage", "s3://bucket/loader"],
            "export user_items",
            plain_text("S3", "http://minio.example:9000"),
        ),
        (
            {},
            ["--storage", "a-file/runs"],
            "export user_items",
            "cannot write to --storage a-file/runs: File exists. "
            "Check its owner, its mode and the free space, or choose another --storage",
        ),
        (
            {},
            ["--export", "items"],
            "the run",
            "export must be an exposure with config.meta.dynamodb, got items: "
            "the exports are user_items",
        ),
        (
            {},
            ["--project-dir", "elsewhere", "--profiles-dir", "p"],
            "the run",
            "--project-dir must be a folder with a dbt_project.yml, got elsewhere: "
            "name your dbt project",
        ),
        (
            {"JAVA_HOME": "no-jdk"},
            [],
            "export user_items",
            "Java 17 or later must be installed, got none: install a JDK (Debian: `apt-get "
            "install openjdk-17-jre-headless`, macOS: `brew install openjdk@17`) or set JAVA_HOME",
        ),
    ],
)
def test_a_bad_environment_is_refused(
    environment: dict[str, str],
    arguments: list[str],
    subject: str,
    problem: str,
    place: Path,
    capsys: Capture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    if "JAVA_HOME" in environment:
        forget_spark(monkeypatch)

    err = refused(capsys, "plan", "--project-dir", "p", *arguments)

    assert err == screen([problem], subject)


@pytest.mark.parametrize(
    ("document", "arguments", "problem"),
    [
        (
            None,
            [],
            "DIR must be the folder of a run with its plan.json, got run: "
            "give the folder that `loader plan` or a load with --keep printed",
        ),
        (
            "{",
            [],
            "run/plan.json must be a plan of this version of the loader, got not JSON "
            "(Expecting property name enclosed in double quotes: line 1 column 2 (char 1)): "
            "run `loader plan` again",
        ),
        (
            "{}",
            [],
            "run/plan.json must be a plan of this version of the loader, "
            "got wrong fields (run, export, model, table, key, partitions, queries, seconds, "
            "partition_results): run `loader plan` again",
        ),
    ],
)
def test_a_bad_changeset_is_refused(
    document: str | None, arguments: list[str], problem: str, place: Path, capsys: Capture
) -> None:
    Path("run").mkdir()
    if document is not None:
        write("run/plan.json", document)

    assert refused(capsys, "apply", "run", *arguments) == screen([problem])


NO_RUN = (
    "DIR must be the folder of a run with its plan.json, got run: "
    "give the folder that `loader plan` or a load with --keep printed"
)


@pytest.mark.parametrize(
    ("command", "others"),
    [(["apply", "run"], [NO_RUN]), (["show", "user_items", "1", "--project-dir", "p"], [])],
)
def test_no_command_sends_plain_text_to_another_machine(
    command: list[str],
    others: list[str],
    place: Path,
    capsys: Capture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", "http://dynamodb.example:8000")

    err = refused(capsys, *command)

    assert err == screen([*others, plain_text("DynamoDB", "http://dynamodb.example:8000")])


@pytest.mark.parametrize("command", [["apply"]])
def test_no_run_is_read_from_another_machine_in_plain_text(
    command: list[str], place: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://minio.example:9000")

    err = refused(capsys, *command, "s3://bucket/runs/run")

    assert err == screen([plain_text("S3", "http://minio.example:9000")])


@pytest.mark.parametrize("command", ["plan", "load"])
def test_no_command_that_reads_sends_plain_text_to_another_machine(
    command: str, place: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", "http://dynamodb.example:8000")
    # A second problem, so that Spark is not started to check the view too.
    write("p/profiles.yml", PROFILE.replace("method: database", "method: browser"))

    err = refused(capsys, command, "--project-dir", "p")

    method = (
        "dbt profile's method must be database, iam or iam_role, got browser: choose another target"
    )
    assert err == screen(
        [method, plain_text("DynamoDB", "http://dynamodb.example:8000")], "export user_items"
    )


def test_the_password_of_an_iam_user_does_not_come_in_plain_text(
    place: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    profile = PROFILE.replace(
        "method: database", "method: iam\n      region: eu-west-1\n      is_serverless: true"
    )
    write("p/profiles.yml", profile)
    monkeypatch.setenv("AWS_ENDPOINT_URL_REDSHIFT_SERVERLESS", "http://redshift.example")

    err = refused(capsys, "plan", "--project-dir", "p")

    assert err == screen(
        [plain_text("Redshift Serverless", "http://redshift.example")], "export user_items"
    )


def test_the_problems_of_all_inputs_are_reported_at_once(
    place: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", "http://aws.example")
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://aws.example")
    monkeypatch.setenv("AWS_CA_BUNDLE", "no-such.pem")
    monkeypatch.setenv("JAVA_HOME", "no-jdk")
    forget_spark(monkeypatch)
    write("p/target/manifest.json", json.dumps(project_manifest(partitions=0)))
    write("p/profiles.yml", PROFILE.replace("method: database", "method: browser"))

    err = refused(capsys, "plan", "--project-dir", "p", "--storage", "s3://bucket")

    assert [line.split(",")[0] for line in err.splitlines()] == [
        "6 problems with the run",
        "  1  export user_items: partitions must be a positive whole number",
        "  2  dbt profile's method must be database",
        "  3  Java 17 or later must be installed",
        "  4  endpoint of S3 must be https:// unless it is on this machine",
        "  5  AWS_CA_BUNDLE or ca_bundle must be a PEM file of certificates",
        "  6  endpoint of DynamoDB must be https:// unless it is on this machine",
    ]
