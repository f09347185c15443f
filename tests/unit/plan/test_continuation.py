from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
from pyspark import SparkContext

from loader.change_limit import ChangeLimit
from loader.dynamodb.identity import TableIdentity
from loader.plan.continuation import continued, record
from loader.plan.result import Plan, load_plan
from loader.settings import Settings
from loader.spark import properties
from loader.storage.location import Location
from tests.support.example_plan import planned

PROD = Settings(
    max_deletes=ChangeLimit(Decimal("0.5"), 500),
    allow_deletes=7,
    project_dir=Path("shop"),
    target="prod",
    storage="runs",
    max_rejects=5,
    create_table=True,
    allow_plain_http=True,
    debug=True,
    keep=True,
    json=True,
    spark={"spark.a": "b", "spark.my.credential": "hunter2"},
)


# What a plan may have of its machine and of the cluster that it started.
PLACED = {
    "spark.driver.bindAddress": "0.0.0.0",  # noqa: S104  is not bound
    "spark.driver.host": "10.0.0.4",
    "spark.driver.memory": "3g",
    "spark.driver.port": "7001",
    "spark.executor.memory": "5g",
    "spark.local.dir": "/mnt/fast",
    "spark.master": "local[4]",
    "spark.submit.deployMode": "client",
}


@pytest.fixture(autouse=True)
def _no_spark(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MASTER", properties.SUBMIT_ARGUMENTS, properties.JVM_OF_SPARK_SUBMIT):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(SparkContext, "_active_spark_context", None)


def plan_of(settings: Settings) -> Plan:
    plan = planned()
    record(plan, settings)
    return plan


def test_a_plan_records_the_options_without_secrets() -> None:
    plan = plan_of(PROD)

    assert plan.settings == replace(PROD, spark={"spark.a": "b", "spark.my.credential": "<secret>"})
    assert plan.working_folder == str(Path.cwd())


def test_the_options_of_a_saved_plan_come_back_as_they_were(tmp_path: Path) -> None:
    plan, folder = plan_of(PROD), Location(str(tmp_path))
    plan.identity = TableIdentity("items", "eu-west-1", "https://dynamodb.example")
    plan.save(folder)

    assert load_plan(folder).settings == plan.settings


def test_a_run_that_continues_a_plan_has_its_options_but_not_what_is_allowed_once() -> None:
    assert continued(plan_of(PROD), {}) == replace(
        PROD,
        allow_deletes=None,
        allow_plain_http=False,
        debug=False,
        json=False,
        keep=False,
        spark={"spark.a": "b"},
    )
    assert continued(plan_of(PROD), {}, once=()) == replace(PROD, spark={"spark.a": "b"})


def test_an_option_that_is_given_again_replaces_that_of_the_plan() -> None:
    given = {"max_rejects": 0, "keep": True, "spark": {"spark.c": "d"}}

    settings = continued(plan_of(PROD), given)

    assert (settings.max_rejects, settings.keep, settings.create_table) == (0, True, True)
    assert settings.spark == {"spark.a": "b", "spark.c": "d"}


def test_a_bundle_holds_in_another_folder_without_the_options_of_a_project(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    plans = [plan_of(Settings(bundle=bundle)) for bundle in ("b.json", "s3://b/k")]
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")

    settings = [continued(plan, {"storage": ".loader"}) for plan in plans]

    assert settings == [Settings(bundle=str(tmp_path / "b.json")), Settings(bundle="s3://b/k")]


def test_paths_of_a_plan_hold_in_another_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    plan = plan_of(PROD)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")

    settings = continued(plan, {})

    assert (settings.project_dir, settings.storage) == (tmp_path / "shop", str(tmp_path / "runs"))
    assert (settings.profiles_dir, settings.prices) == (None, None)


def test_on_the_machine_of_the_plan_all_its_properties_of_spark_hold() -> None:
    assert continued(plan_of(Settings(spark=PLACED)), {}).spark == PLACED


def test_an_address_a_port_or_a_folder_of_another_machine_does_not_hold() -> None:
    """The run would wait for executors that cannot reach a driver that is gone."""
    plan = plan_of(Settings(spark=PLACED))
    plan.host = "another"

    assert continued(plan, {"spark": {"spark.local.dir": "/mnt/here"}}).spark == {
        "spark.driver.memory": "3g",
        "spark.executor.memory": "5g",
        "spark.local.dir": "/mnt/here",
        "spark.master": "local[4]",
        "spark.submit.deployMode": "client",
    }


def test_in_a_spark_that_runs_already_what_it_started_with_holds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """`spark-submit --master yarn load.py apply DIR` must not run on this machine alone."""
    monkeypatch.setenv(properties.JVM_OF_SPARK_SUBMIT, "40001")

    settings = continued(plan_of(Settings(spark=PLACED)), {})

    assert settings.spark == {"spark.executor.memory": "5g"}


@pytest.mark.parametrize(
    ("variable", "value", "is_master"),
    [
        ("MASTER", "yarn", True),
        ("MASTER", "main", False),
        ("PYSPARK_SUBMIT_ARGS", "--master yarn --executor-memory 9g pyspark-shell", True),
        ("PYSPARK_SUBMIT_ARGS", "--executor-memory 9g pyspark-shell", False),
    ],
)
def test_a_master_of_the_environment_replaces_that_of_the_plan(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, is_master: bool
) -> None:
    monkeypatch.setenv(variable, value)

    settings = continued(plan_of(Settings(spark=PLACED)), {})

    replaced = {"spark.master", "spark.submit.deployMode"} if is_master else set()
    assert PLACED.keys() - settings.spark.keys() == replaced


def test_a_property_that_is_given_again_replaces_that_of_the_plan_and_of_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MASTER", "yarn")
    given = {"spark": {"spark.master": "spark://m:7077"}}

    settings = continued(plan_of(Settings(spark=PLACED)), given)

    assert settings.spark["spark.master"] == "spark://m:7077"
