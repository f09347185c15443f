"""The commands that continue after a run keep every option, also one that is added later."""

import argparse
import json
import shlex
from dataclasses import replace
from pathlib import Path

import pytest

from loader import cli
from loader.next_command import (
    ADOPT,
    ALLOWANCES,
    PAID,
    PROJECT,
    READ_BY_PLAN,
    SCAN,
    WRITING,
    adopt_command,
    apply_command,
    load_command,
    option,
    plan_command,
    resume_command,
    with_project,
)
from loader.settings import Settings
from loader.verbs import given

# They choose what the command does; the commands that continue have their own.
CHOOSING = {"help", "export"}


def actions(command: str) -> list[argparse.Action]:
    options = cli.commands(cli.parser())[command]._actions
    return [action for action in options if action.option_strings and action.dest not in CHOOSING]


def example(action: argparse.Action) -> list[str]:
    """The option with a value that is not its default."""
    name = action.option_strings[-1]
    if action.nargs == 0:
        return [name]
    if action.choices:
        return [name, str(next(iter(action.choices)))]
    if action.dest == "spark":
        return [name, "spark.a=b c", name, "spark.d=it's"]
    if action.dest == "vars":
        return [name, "{day: '2024-01-01', name: it's}"]
    if action.dest == "max_gate_age":
        return [name, "24h"]
    if action.dest in ("max_deletes", "max_changes"):
        return [name, "12.5%,7"]
    if action.dest == "dynamodb_role":
        return [name, "arn:aws:iam::123456789012:role/path/a=b,c"]
    if action.dest == "dynamodb_external_id":
        return [name, "shop:7f/3a"]
    if action.dest == "write_capacity":
        return [name, "12.5%"]
    return [name, "7" if action.type in (int, float) else "a b'c;$d"]


def settings_of(*arguments: str) -> Settings:
    return given.settings_of(cli.parser().parse_args(arguments))


# The bundle is instead of the options of the project.
EVERY_OPTION = settings_of(
    "load", *(word for a in actions("load") if a.dest != "bundle" for word in example(a))
)
OF_BUNDLE = replace(
    EVERY_OPTION,
    **{name: getattr(Settings(), name) for name in PROJECT if name != "bundle"},
    bundle="my bundle.json",
)

REPEATED = replace(EVERY_OPTION, **dict.fromkeys(ALLOWANCES), pre_warm=None, yes=False)


@pytest.mark.parametrize("command", ["plan", "apply", "resume"])
def test_a_load_has_every_option_of_the_commands_before_it(command: str) -> None:
    names = {action.dest for action in actions(command)}

    assert names <= {action.dest for action in actions("load")}


@pytest.mark.parametrize(
    "action",
    [action for action in actions("load") if action.dest not in ALLOWANCES | PAID],
    ids=lambda action: action.dest,
)
def test_every_option_is_in_the_command_that_loads_again(action: argparse.Action) -> None:
    settings = settings_of("load", *example(action))

    program, *words = shlex.split(load_command(settings, "user_items"))

    assert (program, words[:3]) == ("loader", ["load", "--export", "user_items"])
    assert words[3:]
    assert settings_of(*words) == settings


@pytest.mark.parametrize("settings", [EVERY_OPTION, OF_BUNDLE], ids=["project", "bundle"])
def test_all_options_together_are_in_the_command_that_loads_again(settings: Settings) -> None:
    _, *words = shlex.split(load_command(settings, "user_items"))

    once = dict.fromkeys(ALLOWANCES)
    assert settings_of(*words) == replace(settings, **once, pre_warm=None, yes=False)


def test_an_exact_number_of_changes_is_in_no_further_command() -> None:
    settings = Settings(allow_deletes=1714, allow_changes=1714)

    assert load_command(settings, "user_items") == "loader load --export user_items"
    assert apply_command(settings, "runs/r1") == apply_command(Settings(), "runs/r1")


def test_every_option_but_those_of_the_read_is_in_the_command_that_applies_a_changeset() -> None:
    command = shlex.split(apply_command(EVERY_OPTION, "my runs/r1"))

    again = vars(settings_of(*command[1:]))
    defaults = vars(Settings())
    assert command[:3] == ["loader", "apply", "my runs/r1"]
    assert again == {
        name: defaults[name] if name in READ_BY_PLAN else value
        for name, value in vars(REPEATED).items()
    }


def test_every_option_but_those_of_a_write_is_in_the_command_that_plans() -> None:
    command = shlex.split(plan_command(EVERY_OPTION, "user_items"))

    again = vars(settings_of(*command[1:]))
    defaults = vars(Settings())
    assert command[:4] == ["loader", "plan", "--export", "user_items"]
    assert again == {
        name: defaults[name] if name in WRITING else value for name, value in vars(REPEATED).items()
    }


def test_options_that_have_their_default_are_left_out() -> None:
    assert load_command(Settings(), "user_items") == "loader load --export user_items"
    assert apply_command(Settings(), "runs/r1") == "loader apply runs/r1"


def test_a_command_is_quoted_for_a_shell() -> None:
    settings = Settings(project_dir=Path("my project"), spark={"spark.a": "$HOME; rm"})

    assert load_command(settings, "user_items") == (
        "loader load --export user_items --project-dir 'my project' "
        "--spark-conf 'spark.a=$HOME; rm'"
    )


def test_a_secret_is_never_in_a_command() -> None:
    settings = Settings(
        spark={"spark.my.credential": "hunter2", "spark.credentials.provider": "com.example.Chain"}
    )

    command = load_command(settings, "user_items")

    assert shlex.split(command)[4:] == [
        *("--spark-conf", "spark.my.credential=<secret>"),
        *("--spark-conf", "spark.credentials.provider=com.example.Chain"),
    ]


def test_an_option_is_named_as_on_the_command_line() -> None:
    names = {action.dest: action.option_strings[-1] for action in actions("load")}

    assert {name: option(name) for name in names} == names
    assert json.dumps(sorted(names)) == json.dumps(sorted({*vars(Settings())} - SCAN))


def test_the_command_that_resumes_finds_the_storage() -> None:
    assert resume_command(Settings(), "user_items") == "loader resume user_items"
    assert resume_command(
        replace(EVERY_OPTION, storage="s3://b/p", allow_plain_http=True), "e"
    ) == ("loader resume e --storage s3://b/p --allow-plain-http --otel")


def test_an_adoption_has_the_options_that_name_the_table_and_the_state() -> None:
    words = shlex.split(adopt_command(EVERY_OPTION, "user_items"))

    assert words[:4] == ["loader", "state", "adopt", "user_items"]
    assert {word for word in words if word.startswith("--")} == {
        *("--project-dir", "--profiles-dir", "--profile", "--target", "--vars"),
        *("--storage", "--dynamodb-role", "--dynamodb-external-id", "--allow-plain-http"),
    }
    assert settings_of(*words[1:]) == replace(
        Settings(),
        **{name: getattr(EVERY_OPTION, name) for name in ADOPT},
    )


def test_the_commands_after_a_run_of_a_bundle_have_the_bundle() -> None:
    settings = Settings(bundle="s3://b/user items.json")

    assert load_command(settings, "e") == (
        "loader load --export e --bundle 's3://b/user items.json'"
    )
    assert adopt_command(settings, "e") == "loader state adopt e --bundle 's3://b/user items.json'"
    assert apply_command(settings, "runs/r1") == "loader apply runs/r1"
    assert with_project("`loader state adopt e`", {"bundle": "b.json"}) == (
        "`loader state adopt e --bundle b.json`"
    )


def test_a_message_about_the_files_of_an_export_names_the_project_that_was_given() -> None:
    message = "x: `loader state adopt e --storage s`; or delete it, or `loader status e`"
    given = {"project_dir": Path("my dbt"), "vars": {"day": "1"}, "queries": 3}
    given |= {"dynamodb_external_id": "shop"}

    assert with_project(message, {"queries": 3}) == message
    assert with_project(message, given) == (
        "x: `loader state adopt e --storage s --project-dir 'my dbt' --vars '{\"day\": \"1\"}' "
        "--dynamodb-external-id shop`; "
        "or delete it, or `loader status e`"
    )
