"""dbt's variables and folders give the loader what they give dbt."""

from pathlib import Path
from typing import Any

import pytest
from dbt.cli.flags import Flags
from dbt.cli.main import cli as dbt_cli
from dbt.cli.resolvers import default_profiles_dir, default_project_dir

from loader import cli
from loader.dbt.profile import profiles_folder
from loader.errors import Refused
from loader.settings import Settings
from loader.verbs.given import settings_of

NAMES = ("TARGET", "PROFILE", "PROFILES_DIR", "PROJECT_DIR")
OPTIONS = ("target", "profile", "profiles_dir", "project_dir")


@pytest.fixture(autouse=True)
def no_variables(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in (*NAMES, "TARGET_PATH"):
        for prefix in ("DBT_", "DBT_ENGINE_"):
            monkeypatch.delenv(prefix + name, raising=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))


def settings(*arguments: str) -> Settings:
    return settings_of(cli.parser().parse_args(["load", *arguments]))


def of_dbt() -> dict[str, Any]:
    """What `dbt run` takes from the same environment."""
    with dbt_cli.make_context("dbt", ["run"]) as context:
        command = dbt_cli.commands["run"]
        with command.make_context("run", [], parent=context) as inner:
            flags = Flags(inner)
    return {name: getattr(flags, name.upper(), None) for name in OPTIONS}


@pytest.mark.parametrize(
    "variables",
    [
        {"DBT_TARGET": "two", "DBT_PROFILE": "shop"},
        {"DBT_ENGINE_TARGET": "two", "DBT_ENGINE_PROFILE": "shop"},
        {"DBT_ENGINE_TARGET": "two", "DBT_TARGET": "one"},
        {"DBT_ENGINE_TARGET": "", "DBT_TARGET": "one"},
        {"DBT_TARGET": ""},
        {"DBT_PROFILES_DIR": "profiles", "DBT_PROJECT_DIR": "shop"},
        {"DBT_ENGINE_PROFILES_DIR": "profiles", "DBT_ENGINE_PROJECT_DIR": "shop"},
        {"DBT_ENGINE_PROFILES_DIR": "profiles", "DBT_PROFILES_DIR": "shop"},
        {"DBT_VARS": "{a: b}"},
    ],
)
def test_dbts_variables_choose_what_they_choose_for_dbt(
    variables: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "dbt_project.yml").touch()
    for folder in ("profiles", "shop", "home/.dbt"):
        (tmp_path / folder).mkdir(parents=True)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)

    chosen, expected = settings(), of_dbt()

    folders = {"profiles_dir": str(profiles_folder(chosen)), "project_dir": str(chosen.project_dir)}
    assert {"target": chosen.target, "profile": chosen.profile, **folders} == {
        name: None if value is None else str(value) for name, value in expected.items()
    }
    assert chosen.vars == {}


def test_an_option_comes_before_a_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in NAMES:
        monkeypatch.setenv(f"DBT_{name}", "other")

    given = ("--target", "t", "--profile", "p", "--profiles-dir", "d", "--project-dir", "shop")

    assert settings(*given, "--vars", "{a: 1, b: x}") == Settings(
        project_dir=Path("shop"),
        profiles_dir=Path("d"),
        profile="p",
        target="t",
        vars={"a": 1, "b": "x"},
    )


def test_a_date_among_the_variables_is_its_text_and_a_key_without_a_text_is_refused() -> None:
    with pytest.raises(Refused, match="--vars must be a mapping in YAML, got 2026-01-02: x"):
        settings("--vars", "2026-01-02: x")

    assert settings("--vars", "{day: 2026-01-02, n: 1}").vars == {"day": "2026-01-02", "n": 1}


@pytest.mark.parametrize("here", [".", "models/staging"])
def test_the_project_is_this_folder_or_one_above_it_as_in_dbt(
    here: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "dbt_project.yml").touch()
    (tmp_path / here).mkdir(parents=True, exist_ok=True)
    monkeypatch.chdir(tmp_path / here)

    assert settings().project_dir == default_project_dir() == tmp_path


def test_without_a_project_here_it_is_in_the_folder_dbt_project() -> None:
    assert settings().project_dir == Path("dbt_project")


def test_profiles_yml_is_in_this_folder_or_in_the_home_as_in_dbt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = tmp_path / "shop"
    shop.mkdir()
    monkeypatch.chdir(tmp_path)
    places = [(profiles_folder(settings()), default_profiles_dir())]
    (tmp_path / "profiles.yml").touch()
    (shop / "profiles.yml").touch()
    places.append((profiles_folder(settings("--project-dir", "shop")), default_profiles_dir()))

    home, here = tmp_path / "home" / ".dbt", tmp_path
    assert places == [(home, home), (here, here)]


def test_a_project_elsewhere_may_have_its_own_profiles_yml(tmp_path: Path) -> None:
    """dbt does not look there: the gate compares its profile with the loader's."""
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "profiles.yml").touch()

    assert profiles_folder(settings("--project-dir", "shop")) == Path("shop")
