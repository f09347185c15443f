"""Fixtures for tests with real servers."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import pytest
from boto3.dynamodb.types import TypeDeserializer
from pyspark.sql import SparkSession

from loader import cli
from loader.settings import Settings as LoaderSettings
from loader.spark.session import start
from loader.warehouse.connection import DRIVERS
from sandbox import Sandbox
from tests.support import mariadb
from tests.support.projects import Project
from tests.support.repository import DBT_PROJECT
from tests.support.run_dbt import run_commands
from tests.support.sandboxes import reader, running_sandbox

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


@pytest.fixture(scope="session")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    with running_sandbox(tmp_path_factory.mktemp("sandbox")) as sandbox:
        yield sandbox


@pytest.fixture
def sandbox_env(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The sandbox's variables, also set in this process."""
    for name, value in sandbox.env().items():
        monkeypatch.setenv(name, value)
    return sandbox.env()


@pytest.fixture
def execute(sandbox: Sandbox) -> Iterator[Callable[..., list[tuple[object, ...]]]]:
    """Run SQL in the warehouse as the loader's user; returns the rows of the result."""
    with closing(sandbox.connect()) as session:
        session.autocommit = True

        def run(sql: str, *parameters: object) -> list[tuple[object, ...]]:
            with session.cursor() as cursor:
                cursor.execute(sql, parameters or None)
                return cursor.fetchall() if cursor.description else []

        yield run


@dataclass(frozen=True)
class Outcome:
    """The result of a command of the loader: exit code, standard output, standard error."""

    code: int
    out: str
    err: str


@pytest.fixture(scope="session")
def spark(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkSession]:
    """The session that all tests share, with the JDBC drivers.

    Its Python workers find the AWS credentials in the environment that it is started in.
    """
    log = tmp_path_factory.mktemp("spark") / "spark.log"
    with pytest.MonkeyPatch.context() as environment:
        for name, value in sandbox.env().items():
            environment.setenv(name, value)
        slots = LoaderSettings(queries=8).local_slots
        drivers = [*DRIVERS.values(), *([mariadb.DRIVER] if mariadb.SERVER else [])]
        session = start("tests", drivers, slots, log, {"spark.ui.enabled": "false"})
    yield session
    session.stop()


@pytest.fixture
def loader(
    spark: SparkSession, sandbox_env: dict[str, str], capfd: pytest.CaptureFixture[str]
) -> Callable[..., Outcome]:
    """Run a command of the loader in this process, against the sandbox."""

    def run(*arguments: str) -> Outcome:
        capfd.readouterr()
        code = cli.main(arguments)
        return Outcome(code, *capfd.readouterr())

    return run


@pytest.fixture(scope="session")
def dynamodb(sandbox: Sandbox) -> DynamoDBClient:
    return cast("DynamoDBClient", reader(sandbox, "dynamodb"))


@pytest.fixture(scope="session")
def s3(sandbox: Sandbox) -> Any:
    """A client that has none of the loader's code."""
    return reader(sandbox, "s3")


@pytest.fixture(scope="session")
def items(dynamodb: DynamoDBClient) -> Callable[[str], list[dict[str, Any]]]:
    """All items of a table as Python values, read with a scan."""
    read = TypeDeserializer().deserialize

    def scan(table: str) -> list[dict[str, Any]]:
        pages = dynamodb.get_paginator("scan").paginate(TableName=table, ConsistentRead=True)
        return [{n: read(v) for n, v in item.items()} for page in pages for item in page["Items"]]

    return scan


@pytest.fixture(scope="session")
def retail(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A copy of dbt_project, built by dbt in the sandbox."""
    folder = tmp_path_factory.mktemp("retail") / "dbt_project"
    shutil.copytree(DBT_PROJECT, folder, ignore=shutil.ignore_patterns("target"))
    build = ["build", "--select", "+exposure:user_items", "--target-path", str(folder / "target")]
    [result] = run_commands(folder, folder, [build], sandbox.env())
    assert result["success"], result["output"]
    return Project(folder)
