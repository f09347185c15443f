import zipfile
from pathlib import Path

import pytest

from loader.spark.jars import jar_problems, jar_settings
from loader.warehouse.connection import DRIVERS

BOTH = [*DRIVERS.values()]
REDSHIFT = [DRIVERS["redshift"]]
PACKAGE = REDSHIFT[0].package
FETCHED = "com.amazon.redshift_redshift-jdbc42-2.3.0.jar"


def jar(file: Path, *classes: str) -> str:
    file.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(file, "w") as archive:
        for name in classes:
            archive.writestr(name, b"")
    return str(file)


def driver_jar(file: Path) -> str:
    return jar(file, "com/amazon/redshift/Driver.class")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "home").mkdir()
    return tmp_path / "home"


def test_drivers_that_ivy_has_fetched_are_given_as_files(home: Path, tmp_path: Path) -> None:
    first = jar(home / ".ivy2" / "jars" / FETCHED)
    with_one = jar_settings(BOTH, {}, tmp_path)
    second = jar(home / ".ivy2" / "jars" / "org.postgresql_postgresql-42.7.4.jar")

    assert with_one["spark.jars.packages"] == ",".join(driver.package for driver in BOTH)
    assert jar_settings(BOTH, {}, tmp_path) == {"spark.jars": f"{first},{second}"}
    assert jar_settings(BOTH, {"spark.jars": "x.jar"}, tmp_path) == {
        "spark.jars": f"x.jar,{first},{second}"
    }
    assert jar_settings([], {}, tmp_path) == {}


def test_drivers_are_fetched_into_a_folder_that_can_be_written(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_home = jar_settings(REDSHIFT, {"spark.jars.packages": "a:b:1"}, tmp_path)
    monkeypatch.setenv("HOME", "/nonexistent")

    assert in_home == {
        "spark.jars.packages": f"a:b:1,{PACKAGE}",
        "spark.jars.ivy": str(home / ".ivy2.5.2"),
    }
    assert jar_settings(REDSHIFT, {}, tmp_path)["spark.jars.ivy"] == str(tmp_path / "ivy")
    fetched = jar(tmp_path / "ivy" / "jars" / FETCHED)
    assert jar_settings(REDSHIFT, {}, tmp_path) == {"spark.jars": fetched}


@pytest.mark.parametrize(
    "given",
    [
        {"spark.jars": "{folder}/renamed.jar"},
        {"spark.jars": "a.jar, file://{folder}/re*.jar"},
        {"spark.jars": "s3a://bucket/redshift-jdbc42-2.1.0.33.jar"},
        {"spark.jars.packages": "a:b:1, com.amazon.redshift:redshift-jdbc42:2.1.0.33"},
    ],
)
def test_a_driver_of_the_user_is_not_fetched(tmp_path: Path, given: dict[str, str]) -> None:
    driver_jar(tmp_path / "renamed.jar")
    given = {name: value.format(folder=tmp_path) for name, value in given.items()}

    assert jar_settings(REDSHIFT, given, tmp_path) == {}


def test_a_driver_in_sparks_own_folder_is_not_fetched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    driver_jar(tmp_path / "jars" / "redshift-jdbc42-2.1.0.33.jar")
    monkeypatch.setenv("SPARK_HOME", str(tmp_path))

    assert jar_settings(REDSHIFT, {}, tmp_path) == {}


def test_a_driver_on_the_class_path_of_driver_and_executors_is_not_fetched(tmp_path: Path) -> None:
    driver_jar(tmp_path / "jars" / "renamed.jar")
    path = f"/nowhere/*:{tmp_path}/jars/*"
    here, there = ("spark.driver.extraClassPath", "spark.executor.extraClassPath")

    assert jar_settings(REDSHIFT, {here: path, there: path}, tmp_path) == {}
    assert jar_settings(REDSHIFT, {here: path}, tmp_path) != {}


def test_every_jar_that_is_missing_or_broken_is_a_problem(home: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.jar"
    page.write_text("<html>blocked</html>")
    fetched = Path(driver_jar(home / ".ivy2.5.2" / "jars" / FETCHED))
    fetched.write_text("<html>blocked</html>")
    good = jar(tmp_path / "good.jar")
    given = {"spark.jars": f"{good},/nowhere/x.jar, {page},s3a://bucket/x.jar,{tmp_path}"}

    assert list(jar_problems(REDSHIFT, given, tmp_path)) == [
        "spark.jars must name files, got /nowhere/x.jar, which does not exist: correct the path",
        f"spark.jars must name jars, got {page} (File is not a zip file): copy it again",
        f"spark.jars must name jars, got {tmp_path} (Is a directory): copy it again",
        f"driver {fetched} must be a jar, got another file (File is not a zip file): remove it and "
        f"{home / '.ivy2.5.2' / 'cache'}, so that Spark fetches it again",
    ]
