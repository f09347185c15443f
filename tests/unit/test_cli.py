import argparse
import json
import signal
from collections.abc import Callable
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from loader import cli, run
from loader.errors import ApplyFailed, PlanFailed, Refused
from loader.interruption import Interrupted
from loader.report.journal import Journal
from loader.settings import Settings
from loader.storage.location import Location
from loader.storage.lock_file import LOCK_FILE, lock_of_this_process
from loader.storage.state_file import State, commit
from loader.verbs import write
from loader.verbs.given import settings_of
from tests.support.example_plan import partition, planned
from tests.support.example_report import COMPLETE, RUN

INCOMPLETE = replace(COMPLETE, put=3_999, not_sent=1)
Capture = pytest.CaptureFixture[str]


def raising(error: BaseException) -> Callable[..., int]:
    def command(*_: Any) -> int:
        raise error

    return command


def subparsers() -> dict[str, argparse.ArgumentParser]:
    return cli.commands(cli.parser())


def test_the_commands_are_these() -> None:
    assert list(subparsers()) == [
        *("plan", "load", "apply", "resume", "pace", "bundle", "show"),
        *("verify", "status", "state show", "state adopt", "state unlock"),
    ]


def test_every_option_of_every_command_has_help() -> None:
    silent = [
        (name, action.dest)
        for name, parser in subparsers().items()
        for action in parser._actions
        if not action.help
    ]

    assert silent == []


def test_every_option_that_has_a_default_shows_it() -> None:
    hidden = [
        (name, action.dest)
        for name, parser in subparsers().items()
        for action in parser._actions
        if action.default not in (None, False, [], argparse.SUPPRESS)
        and "%(default)" not in str(action.help)
    ]

    assert hidden == []


def test_the_help_of_every_command_can_be_shown() -> None:
    for name, parser in subparsers().items():
        assert parser.format_help().startswith(f"usage: loader {name} [-h]")


def test_the_defaults_of_the_options_are_those_of_the_settings() -> None:
    for command in (["plan"], ["load"], ["show", "user_items", "1"]):
        assert settings_of(cli.parser().parse_args(command)) == Settings()


def test_options_become_settings() -> None:
    arguments = [
        *("load", "--project-dir", "p", "--profiles-dir", "q", "--target", "prod", "--debug"),
        *("--storage", "s3://b/x", "--queries", "3", "--keep"),
        *("--create-table", "--requests", "5", "--retry-seconds", "2.5", "--skip-dbt-gate"),
        *("--prices", "p.json"),
        *("--spark-conf", "spark.a=b=c", "--spark-conf", "spark.d="),
    ]

    assert settings_of(cli.parser().parse_args(arguments)) == Settings(
        project_dir=Path("p"),
        profiles_dir=Path("q"),
        target="prod",
        storage="s3://b/x",
        queries=3,
        requests=5,
        retry_seconds=2.5,
        create_table=True,
        keep=True,
        skip_dbt_gate=True,
        prices=Path("p.json"),
        debug=True,
        spark={"spark.a": "b=c", "spark.d": ""},
    )


def test_exports_may_be_named_together_or_one_by_one() -> None:
    parse = cli.parser().parse_args

    assert parse(["load", "--export", "a", "b", "--export", "c"]).export == ["a", "b", "c"]
    assert parse(["load"]).export == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "loader: error: the following arguments are required: COMMAND"),
        (
            ["publish"],
            "loader: error: argument COMMAND: invalid choice: 'publish' (choose from {commands})",
        ),
        (
            ["load", "--queries", "x"],
            "loader load: error: argument --queries: invalid int value: 'x'",
        ),
        (
            ["load", "--retry-seconds", "1m"],
            "loader load: error: argument --retry-seconds: invalid float value: '1m'",
        ),
        (
            ["load", "--spark-conf", "spark.driver.memory"],
            "loader load: error: argument --spark-conf: must be spark.name=value, got "
            "spark.driver.memory",
        ),
        (
            ["plan", "--spark-conf", "driver.password=hunter2"],
            "loader plan: error: argument --spark-conf: must be spark.name=value, got "
            "driver.password",
        ),
        (["apply", "x", "--target", "y"], "loader: error: unrecognized arguments: --target y"),
        (
            ["show", "user_items"],
            "loader show: error: the following arguments are required: KEY",
        ),
    ],
)
def test_wrong_usage_exits_with_2_and_names_the_mistake(
    arguments: list[str], message: str, capsys: Capture
) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(arguments)

    error = capsys.readouterr().err.splitlines()[-1]
    # Python 3.12 prints the choices without quotes.
    names = dict.fromkeys(name.split()[0] for name in subparsers())
    choices = ", ".join(map(repr if "'plan'" in error else str, names))
    assert (ended.value.code, error) == (2, message.replace("{commands}", choices))


@pytest.mark.parametrize("as_json", [False, True])
def test_a_resume_without_an_unfinished_run_prints_that_there_is_nothing_to_resume(
    tmp_path: Path, capsys: Capture, as_json: bool
) -> None:
    folder = Location(str(tmp_path / "users"))
    state = State(5, RUN, "users", {}, (("id", "S"),), 30, 1, {}, "2026-11-26T00:00:00Z", ())
    commit(folder, state, None)
    options = ["--json"] if as_json else []

    code = cli.main(["resume", "users", "--storage", str(tmp_path), *options])

    printed = capsys.readouterr()
    assert (code, printed.err) == (0, "")
    if as_json:
        facts = {"export": "users", "run": RUN, "serial": 5, "nothing_to_resume": True}
        assert json.loads(printed.out) == facts
    else:
        text = f"users   nothing to resume: run {RUN} is committed (serial 5)\n"
        assert printed.out == text


def test_settings_that_are_wrong_are_listed_with_their_numbers(capsys: Capture) -> None:
    code = cli.main(["load", "--queries", "0", "--requests", "-1"])

    assert (code, capsys.readouterr().err) == (
        2,
        "2 problems with the settings, nothing was written\n"
        "  1  --queries must be a positive whole number, got 0: set it to 1 or more\n"
        "  2  --requests must be a positive whole number, got -1: set it to 1 or more\n",
    )


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (PlanFailed("not read"), 1, "not read\n"),
        (ApplyFailed("not written"), 1, "not written\n"),
        (Refused("no", "export x"), 2, "1 problem with export x, nothing was written\n  1  no\n"),
        (KeyboardInterrupt(), 130, "interrupted: nothing was written\n"),
        (Interrupted(signal.SIGINT), 130, "interrupted: nothing was written\n"),
        (Interrupted(signal.SIGTERM), 143, "interrupted: nothing was written\n"),
    ],
)
def test_an_error_becomes_a_message_and_an_exit_code(
    error: BaseException, code: int, message: str, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(write, "plan", raising(error))

    assert (cli.main(["plan"]), capsys.readouterr()) == (code, ("", message))


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (PlanFailed("not read"), 1, "not read\n"),
        (Refused("no"), 2, "1 problem with the run, nothing was written\n  1  no\n"),
    ],
)
def test_debug_shows_the_traceback_too(
    error: Exception, code: int, message: str, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(write, "plan", raising(error))

    assert cli.main(["plan", "--debug"]) == code
    shown = capsys.readouterr().err
    trace = f"loader.errors.{type(error).__name__}: {error}\n"
    assert shown.startswith("Traceback (most recent call last):\n")
    assert shown.endswith(trace + message)


def ending(*results: Any) -> Callable[..., None]:
    """A command of run.py whose exports end with these results."""

    def command(*arguments: Any) -> None:
        for result in results:
            arguments[-1](result)

    return command


@pytest.mark.parametrize(
    ("results", "code"),
    [
        ([COMPLETE], 0),
        ([COMPLETE, COMPLETE], 0),
        ([COMPLETE, INCOMPLETE], 1),
        ([INCOMPLETE, COMPLETE], 1),
        ([ApplyFailed("not written"), COMPLETE], 1),
        ([Refused("no"), INCOMPLETE], 2),
    ],
)
def test_the_exit_code_of_several_exports_is_the_worst(
    results: list[Any], code: int, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "load", ending(*results))

    assert cli.main(["load", "--json"]) == code
    lines = capsys.readouterr().out.splitlines()
    reports = [result for result in results if not isinstance(result, Exception)]
    assert [json.loads(line) for line in lines] == [report.to_dict() for report in reports]


def test_what_happened_to_an_export_is_printed_when_it_ends(
    capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    printed = []

    def load(_journal: Journal, _names: object, ended: Callable[[Any], None]) -> None:
        ended(ApplyFailed("a: not written"))
        printed.append(capsys.readouterr().err)
        ended(COMPLETE)
        printed.append(capsys.readouterr().out[:22])
        raise Interrupted(signal.SIGINT)

    monkeypatch.setattr(run, "load", load)

    assert cli.main(["load"]) == 130
    assert printed == ["a: not written\n", "user_items   complete "]


def test_values_in_messages_cannot_control_the_terminal(
    capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    report = replace(INCOMPLETE, folder="runs/\x1b[2J", export="\x1b]0;title\x07")
    monkeypatch.setattr(run, "load", ending(PlanFailed("table \x1b[31m"), report))

    assert cli.main(["load", "--debug"]) == 1
    printed = "".join(capsys.readouterr())
    assert "table \\x1b[31m" in printed
    assert "report     runs/\\x1b[2J" in printed
    assert "\x1b" not in printed


def test_a_changeset_is_applied_from_its_folder(
    capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def apply(journal: Journal, folder: object, given: Any, ended: Callable[[Any], None]) -> None:
        asked.append((journal.settings, str(folder), given))
        ended(COMPLETE)

    monkeypatch.setattr(run, "apply", apply)

    assert cli.main(["apply", ".loader/run", "--max-rejects", "0", "--keep"]) == 0
    assert asked == [(Settings(keep=True), ".loader/run", {"max_rejects": 0, "keep": True})]
    assert capsys.readouterr().out.startswith("user_items   complete in 10.0 s   run ")


def test_the_version_of_the_package_is_printed(capsys: Capture) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(["--version"])

    assert (ended.value.code, capsys.readouterr().out) == (
        0,
        f"loader {version('redshift-to-dynamodb')}\n",
    )


def test_a_lock_is_removed_by_its_id_alone(tmp_path: Path, capsys: Capture) -> None:
    lock = lock_of_this_process("4f0c", "r1", "loader load", 60.0)
    folder = Location(str(tmp_path / "user_items"))
    folder.write(LOCK_FILE, lock.encoded())
    unlock = ["state", "unlock", "user_items", "--storage", str(tmp_path)]

    assert cli.main([*unlock, "4f0d"]) == 2
    assert capsys.readouterr().err == (
        "1 problem with export user_items, nothing was written\n"
        "  1  lock of export user_items must have the id 4f0d to be removed, got the lock 4f0c of "
        f"{lock}: see `loader status user_items --storage {tmp_path}`\n"
    )
    assert cli.main([*unlock, "4f0c"]) == 0
    assert capsys.readouterr().out == f"unlocked: export user_items was locked by {lock}\n"
    assert folder.files() == []


def test_a_plan_that_breaks_a_guard_is_shown_and_its_exit_code_is_2(
    capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    shrunk = planned(partition(0, 0, unchanged=4, deletes=1))
    shrunk.has_state = True
    monkeypatch.setattr(run, "plan", ending(shrunk))

    assert cli.main(["plan"]) == 2
    printed = capsys.readouterr()
    assert printed.out.splitlines()[-1].endswith(f"{RUN} --allow-deletes 1")
    assert printed.err == (
        "1 problem with export user_items, nothing was written\n"
        "  1  export user_items must delete at most 10 % of the 5 keys of table items (0), "
        "got 1 (20.0 %): check the model, or let exactly these pass with --allow-deletes 1\n"
    )
    assert cli.main(["plan", "--allow-deletes", "1"]) == 0


@pytest.mark.parametrize(("text", "share"), [("5%", 0.05), ("0.1%", 0.001), ("99.9%", 0.999)])
def test_a_sample_is_a_share_in_percent(text: str, share: float) -> None:
    options = cli.parser().parse_args(["verify", "user_items", "--sample", text])

    assert options.sample == pytest.approx(share)


@pytest.mark.parametrize("text", ["5", "0%", "100%", "-1%", "x%", "%", "nan%", "5 % of all"])
def test_a_sample_of_nothing_of_everything_or_without_a_percent_sign_is_refused(
    text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        cli.parser().parse_args(["verify", "user_items", f"--sample={text}"])

    assert f"must be above 0% and below 100%, got {text}: give 5%" in capsys.readouterr().err
