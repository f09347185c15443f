from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from loader.change_limit import ChangeLimit
from loader.dynamodb.identity import TableIdentity
from loader.plan.continuation import continued, record
from loader.plan.result import Plan, load_plan
from loader.settings import Settings
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
