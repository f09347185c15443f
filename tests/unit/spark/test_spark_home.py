import os
from pathlib import Path

import pyspark
import pytest

from loader.spark import spark_home

PYSPARK_JARS = Path(pyspark.__file__).parent / "jars"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the folder is made in this test; no Spark is named."""
    home = tmp_path / "share" / "spark-4.0.0"
    monkeypatch.setattr(spark_home, "HOME", home)
    monkeypatch.setenv("SPARK_HOME", "")
    monkeypatch.delenv("SPARK_HOME")
    return home


def test_the_folder_has_pysparks_own_files_but_for_the_jars_left_out(home: Path) -> None:
    spark_home.make()
    spark_home.make()

    assert (home / "bin" / "spark-submit").samefile(PYSPARK_JARS.parent / "bin" / "spark-submit")
    found = {jar.name: jar.resolve() for jar in (home / "jars").iterdir()}
    kept = {n for n in os.listdir(PYSPARK_JARS) if not n.startswith(spark_home.LEFT_OUT)}
    assert found == {name: (PYSPARK_JARS / name).resolve() for name in kept}
    assert list(home.parent.iterdir()) == [home]


def test_each_name_that_is_left_out_is_that_of_a_jar() -> None:
    jars = os.listdir(PYSPARK_JARS)

    assert [p for p in spark_home.LEFT_OUT if not any(jar.startswith(p) for jar in jars)] == []


@pytest.mark.parametrize("settings", [{}, {"spark.master": "local[4]"}, {"spark.ui.enabled": "no"}])
def test_a_run_on_this_machine_starts_it(home: Path, settings: dict[str, str]) -> None:
    home.mkdir(parents=True)

    spark_home.use(settings)

    assert os.environ["SPARK_HOME"] == str(home)


@pytest.mark.parametrize(
    "settings",
    [{"spark.master": "k8s://https://cluster"}, {"spark.sql.catalogImplementation": "hive"}],
)
def test_a_run_that_needs_the_jars_left_out_does_not(home: Path, settings: dict[str, str]) -> None:
    home.mkdir(parents=True)

    spark_home.use(settings)

    assert "SPARK_HOME" not in os.environ


def test_a_spark_that_is_named_stays(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home.mkdir(parents=True)
    monkeypatch.setenv("SPARK_HOME", "/opt/spark")

    spark_home.use({})

    assert os.environ["SPARK_HOME"] == "/opt/spark"


def test_without_the_folder_pyspark_finds_its_own(home: Path) -> None:
    spark_home.use({})

    assert "SPARK_HOME" not in os.environ
