"""The end of a command is sent, and does not change it."""

import json
import signal
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from loader import cli, run
from loader.dynamodb.identity import TableIdentity
from loader.errors import PlanFailed, Refused
from loader.interruption import Interrupted
from loader.observe import delivery
from loader.observe.run_end import run_end
from loader.plan.continuation import record
from loader.report.journal import Journal
from loader.settings import Settings
from loader.storage.location import Location
from loader.verbs import observed
from tests.support.example_plan import partition, planned
from tests.support.example_report import COMPLETE

Capture = pytest.CaptureFixture[str]
METRICS = ["--metrics", "emf"]


def raising(error: BaseException) -> Callable[..., None]:
    def command(*_: Any) -> None:
        raise error

    return command


def complete_load(journal: Journal, _names: object, show: Callable[[Any], None]) -> None:
    journal.results["user_items"] = COMPLETE
    show(COMPLETE)


def ended(capsys: Capture) -> tuple[dict[str, Any], str]:
    """The line of metrics, which is the only one, and standard error."""
    out, err = capsys.readouterr()
    line: dict[str, Any] = json.loads(out)
    return line, err


@pytest.mark.parametrize(
    ("error", "outcome", "code"),
    [
        (PlanFailed("cannot read"), "failed", 1),
        (Refused("no profile"), "refused", 2),
        (Interrupted(15), "interrupted", 143),
    ],
)
def test_a_load_that_ends_without_a_report_has_its_metrics_and_its_exit_code(
    error: BaseException,
    outcome: str,
    code: int,
    capsys: Capture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(run, "load", raising(error))

    assert cli.main(["load", "--export", "user_items", *METRICS]) == code

    line, _ = ended(capsys)
    assert (line["export"], line["outcome"], line["exit_code"]) == ("user_items", outcome, code)


def test_settings_that_are_refused_keep_their_subject_and_have_their_metrics(
    capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    refusal = Refused("a bundle must …", "export user_items")
    monkeypatch.setattr(observed, "settings_of", raising(refusal))

    assert cli.main(["load", "--notify", "loads", *METRICS]) == 2

    line, err = ended(capsys)
    assert (line["export"], line["outcome"]) == ("user_items", "refused")
    assert err.splitlines()[:2] == [
        "2 problems with export user_items, nothing was written",
        "  1  a bundle must …",
    ]


@pytest.mark.parametrize(
    "command", [["apply", "s/user_items/runs/r1"], ["load", "--export", "user_items"]]
)
def test_settings_that_are_refused_are_sent_without_a_command(
    command: list[str], capsys: Capture
) -> None:
    """Only the settings have its options: another target may have another table."""
    assert cli.main([*command, "--keep-runs", "0", *METRICS]) == 2

    line, _ = ended(capsys)
    assert (line["export"], line["outcome"], line["next_command"]) == ("user_items", "refused", "")
    assert "--keep-runs must be" in line["missing"][0]


def test_a_resume_that_is_refused_before_its_run_is_known_is_sent_with_its_own_command(
    tmp_path: Path, capsys: Capture
) -> None:
    """It has no option of the project, with which a load reads another target."""
    assert cli.main(["resume", "user_items", "--storage", str(tmp_path), *METRICS]) == 2

    assert ended(capsys)[0]["next_command"] == f"loader resume user_items --storage {tmp_path}"


def test_a_bug_of_the_loader_has_its_metrics_too(
    capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "load", raising(KeyError("bug")))

    with pytest.raises(KeyError):
        cli.main(["load", *METRICS])

    assert ended(capsys)[0]["failed"] == 1


@pytest.mark.parametrize(
    ("folder", "export"), [("s3://b/x/user_items/runs/r1/", "user_items"), ("x", None)]
)
def test_a_plan_that_cannot_be_read_is_of_the_export_of_its_folder(
    folder: str, export: str | None, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "apply", raising(Refused("no plan")))

    assert cli.main(["apply", folder, *METRICS]) == 2

    assert ended(capsys)[0].get("export") == export


def test_what_goes_wrong_at_the_end_is_printed_and_changes_nothing(
    capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "load", complete_load)
    monkeypatch.setattr(delivery, "deliver", raising(KeyError("rows")))

    assert cli.main(["load", *METRICS]) == 0

    assert capsys.readouterr().err == (
        "cannot describe the end of the run: KeyError ('rows'). The run itself is not affected: "
        "report this as a bug\n"
    )


def test_a_signal_at_the_end_says_what_is_lost(
    capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "load", lambda *_: None)
    monkeypatch.setattr(delivery, "deliver", raising(Interrupted(2)))

    assert cli.main(["load", *METRICS]) == 130

    assert capsys.readouterr().err == (
        "interrupted: the run had ended, and what it sends may be lost\n"
    )


def test_a_signal_that_spark_reports_as_an_error_interrupts_the_run(
    handlers: None, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def load(*_: Any) -> None:
        with suppress(Interrupted):
            signal.raise_signal(signal.SIGTERM)
        raise PlanFailed("cannot read: the JVM ended")

    monkeypatch.setattr(run, "load", load)

    assert cli.main(["load", "--export", "user_items", *METRICS]) == 143

    line, _ = ended(capsys)
    assert (line["outcome"], line["exit_code"]) == ("interrupted", 143)


def test_a_run_without_pyspark_has_its_metrics(
    capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(observed, "save_imports", raising(Refused("pyspark must be installed")))

    assert cli.main(["load", "--export", "user_items", *METRICS]) == 2

    line, _ = ended(capsys)
    assert (line["outcome"], line["missing"]) == ("refused", ["pyspark must be installed"])


def test_with_json_standard_output_has_the_reports_alone(
    capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "load", complete_load)

    assert cli.main(["load", "--export", "user_items", "--json", *METRICS]) == 0

    out, err = capsys.readouterr()
    assert json.loads(out) == COMPLETE.to_dict()
    assert json.loads(err)["_aws"]["CloudWatchMetrics"]


def test_an_apply_that_is_refused_is_sent_to_where_its_plan_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {
        "AWS_ENDPOINT_URL_DYNAMODB": "http://127.0.0.1:1",
        "AWS_REGION": "eu-west-1",
        "AWS_ACCESS_KEY_ID": "k",
        "AWS_SECRET_ACCESS_KEY": "s",
    }.items():
        monkeypatch.setenv(name, value)
    plan = planned(partition(0, 1))
    plan.identity = TableIdentity("items", "eu-west-1", "http://127.0.0.1:1")
    record(plan, Settings(notify_on="refused", metrics="emf"))
    folder = Location(str(tmp_path / "elsewhere"))
    plan.save(folder)
    journal = Journal(Settings(storage="given"))

    with pytest.raises(Refused, match="DIR must be STORAGE/") as refused:
        run.apply(journal, folder, {"json": True}, lambda _: None)

    assert (journal.settings.notify_on, journal.settings.json) == ("refused", True)
    (end,) = run_end(journal, "apply", [], refused.value).exports
    assert (end.export, end.table, end.model) == (plan.export, plan.table, plan.model)
    assert end.next_command.startswith(f"loader apply {folder} ")  # the storage is not known
