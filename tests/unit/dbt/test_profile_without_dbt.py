"""The plain way to read a profile gives what dbt gives, or nothing."""

from argparse import Namespace
from pathlib import Path
from typing import Any

import pytest

from loader.dbt.profile import connection
from loader.dbt.profile_without_dbt import plain_target
from tests.support.repository import DBT_PROJECT

VARIABLES = {
    "REDSHIFT_HOST": "shop.abc.eu-west-1.redshift.amazonaws.com",
    "REDSHIFT_PORT": "5440",
    "REDSHIFT_DATABASE": "shop",
    "REDSHIFT_USER": "loader",
    "REDSHIFT_PASSWORD": "0123",
    "REDSHIFT_SCHEMA": "analytics",
}
PLAIN = """
shop:
  target: "{{ env_var('SHOP_TARGET', 'one') }}"
  outputs:
    one:
      type: redshift
      host: warehouse.example.com
      port: "{{ env_var('SHOP_PORT', '5439') | int }}"
      user: loader
      pass: "{{ env_var('SHOP_PASSWORD', 'secret') | as_text }}"
      dbname: shop
      schema: analytics
      sslmode: verify-full
    two:
      type: postgres
      host: localhost
      port: 5432
      user: "{{ 'lo' ~ 'ader' }}"
      password: '7'
      database: shop
      schema: analytics
      sslmode: disable
"""


def project(folder: Path, profiles: str = PLAIN) -> Path:
    (folder / "dbt_project.yml").write_text("name: shop\nprofile: shop\n")
    (folder / "profiles.yml").write_text(profiles)
    return folder


def plain(
    folder: Path, target: str | None = None, profile: str | None = None, **variables: Any
) -> Any:
    return plain_target(folder, folder, profile, target, variables)


def of_dbt(folder: Path, target: str | None, profile: str | None = None, **variables: Any) -> Any:
    from dbt.config.runtime import load_profile
    from dbt.flags import set_from_args
    from dbt_common.context import set_invocation_context

    set_invocation_context({**VARIABLES, "SHOP_PASSWORD": "0x1f"})
    set_from_args(Namespace(PROFILES_DIR=str(folder), PROJECT_DIR=str(folder)), None)
    return load_profile(str(folder), variables, profile, target)


def assert_same(target: Any, profile: Any) -> None:
    """The plain way and dbt must choose the same profile, target and connection."""
    name, chosen, credentials = target
    assert (name, chosen) == (profile.profile_name, profile.target_name)
    assert connection(credentials) == connection(profile.credentials)


@pytest.fixture(autouse=True)
def variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {**VARIABLES, "SHOP_PASSWORD": "0x1f"}.items():
        monkeypatch.setenv(name, value)


@pytest.mark.parametrize("target", [None, "sandbox", "dev", "prod"])
def test_the_targets_of_this_project_are_read_as_dbt_reads_them(target: str | None) -> None:
    assert_same(plain(DBT_PROJECT, target), of_dbt(DBT_PROJECT, target))


@pytest.mark.parametrize("target", [None, "one", "two"])
def test_a_simple_target_is_read_as_dbt_reads_it(tmp_path: Path, target: str | None) -> None:
    folder = project(tmp_path)

    assert_same(plain(folder, target), of_dbt(folder, target))


@pytest.mark.parametrize("profile", [None, "other"])
def test_a_profile_and_variables_are_read_as_dbt_reads_them(
    tmp_path: Path, profile: str | None
) -> None:
    text = PLAIN.replace("warehouse.example.com", "\"{{ var('host', 'a.example.com') }}\"")
    text = text.replace("port: 5432", "port: \"{{ var('port') }}\"")
    folder = project(tmp_path, text + text.replace("shop:", "other:").replace("'one'", "'two'"))

    assert_same(plain(folder, profile=profile, port=5), of_dbt(folder, None, profile, port=5))
    given = {"host": "b.example.com", "port": 6}
    assert_same(plain(folder, "one", profile, **given), of_dbt(folder, "one", profile, **given))


def test_a_redshift_target_without_sslmode_is_read_as_dbt_reads_it(tmp_path: Path) -> None:
    folder = project(tmp_path, PLAIN.replace("sslmode: verify-full", "threads: 4", 1))

    assert_same(plain(folder), of_dbt(folder, None))
    assert connection(plain(folder)[2]).parameters == (("ssl", "true"), ("sslmode", "verify-ca"))


@pytest.mark.parametrize("target", ["dev_iam", "prod_iam", "nowhere"])
def test_targets_with_iam_and_targets_that_are_not_there_are_left_to_dbt(target: str) -> None:
    assert plain(DBT_PROJECT, target) is None


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("host: warehouse.example.com", "host: \"{{ env_var('SHOP_HOST') }}\""),
        ("host: warehouse.example.com", 'host: ""'),
        ("host: warehouse.example.com", 'host: "{{ host }}"'),
        ("host: warehouse.example.com", 'host: "{{ host"'),
        ("host: warehouse.example.com", 'host: "{{ var("x") | lookup }}"'),
        ("sslmode: verify-full", "sslmode: perhaps"),
        ("sslmode: verify-full", "sslmode: ''"),
        ("schema: analytics", "threads: 4"),
        ("user: loader", "user: 7"),
        ("| int", "~ 'x'"),
        ("  outputs:", "  outputs: []\n  more:"),
        ("shop:\n", "other:\n"),
        (PLAIN, "- shop"),
        (PLAIN, "shop: {"),
    ],
)
def test_a_target_that_is_not_simple_is_left_to_dbt(tmp_path: Path, old: str, new: str) -> None:
    folder = project(tmp_path, PLAIN.replace(old, new, 1))

    assert plain(folder) is None


def test_a_project_without_its_files_is_left_to_dbt(tmp_path: Path) -> None:
    assert plain(tmp_path) is None
