from dataclasses import fields
from pathlib import Path

from loader.redaction import MASK
from loader.report.run_context import NOT_SHOWN, shown_settings, versions
from loader.settings import Settings
from tests.support.example_report import COMPLETE


def test_settings_are_json_values_with_secrets_masked() -> None:
    spark = {"spark.my.credential": "hunter2", "spark.a": "b"}
    settings = Settings(project_dir=Path("dbt"), target="prod", retry_seconds=2.5, spark=spark)

    shown = shown_settings(settings)

    assert shown["spark"] == {"spark.a": "b", "spark.my.credential": MASK}
    assert [shown[name] for name in ("project_dir", "profiles_dir", "target", "keep")] == [
        "dbt",
        None,
        "prod",
        False,
    ]
    assert set(shown) == {field.name for field in fields(Settings)} - NOT_SHOWN | {"spark"}


def test_the_start_of_an_apply_is_shown_in_utc() -> None:
    assert COMPLETE.to_dict()["apply_began"] == "2026-01-02T03:04:11+00:00"


def test_the_versions_are_those_of_loader_spark_and_python() -> None:
    assert list(versions("4.0.1")) == ["loader", "pyspark", "python"]
    assert versions("4.0.1")["pyspark"] == "4.0.1"
