from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from loader import run
from loader.errors import ApplyFailed, Guarded, Outdated, PlanFailed, Refused, subject_of
from loader.interruption import Interrupted
from loader.observe import message
from loader.observe.run_end import RunEnd, run_end
from loader.plan.result import Plan
from loader.report.journal import Journal
from loader.settings import Settings
from loader.storage.location import Location
from tests.support.example_plan import partition, planned
from tests.support.example_report import COMPLETE, RUN

TOO_MANY = partition(0, 10, deletes=5, unchanged=5)
PLAN = replace(planned(TOO_MANY), has_state=True)
KEY = '"user_id":{"S":"12347"}'


def end_of(journal: Journal, error: BaseException | None, *names: str) -> RunEnd:
    return run_end(journal, "load", names, error)


def with_plan(plan: Plan = PLAN, settings: Settings | None = None) -> Journal:
    journal = Journal(settings or Settings())
    journal.add_plan(plan)
    return journal


def test_a_report_ends_as_it_says() -> None:
    incomplete = replace(COMPLETE, put=3_990, not_sent=10, deviates=["rows"])
    journal = Journal(tables={"user_items": "items"}, results={"user_items": incomplete})

    end = end_of(journal, None)

    (export,) = end.exports
    assert (end.exit_code, end.outcome, end.run) == (1, "incomplete", RUN)
    assert (export.export, export.table, export.model) == ("user_items", "items", "stg_orders")
    assert export.missing == ["10 of 4,000 changes were not acknowledged"]
    assert (export.next_step, export.next_command) == ("Continue with", "loader resume user_items")
    assert (export.deviates, export.metrics["deviates"]) == (["rows"], 1)
    assert export.figures["seconds"] == incomplete.seconds


def test_a_broken_guard_is_described_without_the_keys_of_its_message() -> None:
    named = replace(TOO_MANY, deleted_keys=[KEY])
    journal = with_plan(replace(planned(named), has_state=True), Settings(target="prod"))

    end = end_of(journal, Guarded(f"export user_items must delete at most 1, such as {KEY}"))

    (export,) = end.exports
    assert (end.exit_code, export.outcome, export.guarded) == (2, "refused", True)
    assert export.missing == [
        "export user_items must delete at most 10 % of the 10 keys of table items (1), got 5 "
        "(50.0 %): check the model, or let exactly these pass with --allow-deletes 5"
    ]
    assert export.next_command == (
        "loader load --export user_items --target prod --allow-deletes 5"
    )
    assert "12347" not in repr(end)


def test_an_export_that_another_ones_guard_stops_is_refused_and_not_guarded() -> None:
    journal = with_plan()
    journal.add_plan(replace(planned(partition(0, 1)), export="other", has_state=True))

    ends = {export.export: export for export in end_of(journal, Guarded("x")).exports}

    assert {name: (end.outcome, end.guarded) for name, end in ends.items()} == {
        "user_items": ("refused", True),
        "other": ("refused", False),
    }
    assert ends["other"].missing == ends["user_items"].missing
    assert ends["other"].next_command == "loader load --export other"


def test_the_message_of_a_failure_may_quote_a_row_and_is_left_out() -> None:
    end = end_of(with_plan(), PlanFailed("invalid input syntax: 'ada@example.com'"))

    (export,) = end.exports
    assert export.missing == ["PlanFailed, whose message is in the output of the command"]
    assert "ada" not in repr(end)
    assert (export.next_step, export.next_command) == (
        "Fix the cause, then",
        "loader load --export user_items",
    )


def test_after_the_apply_has_begun_the_run_is_resumed() -> None:
    journal = with_plan()
    journal.begun.add("user_items")
    journal.results["user_items"] = ApplyFailed("cannot write")

    end = end_of(journal, None)

    (export,) = end.exports
    assert (end.exit_code, export.outcome) == (1, "failed")
    assert (export.next_step, export.next_command) == ("Continue with", "loader resume user_items")


def test_a_refusal_that_names_a_key_is_sent_without_it() -> None:
    refused = Refused(f"got 31 for key {KEY}", "export user_items", "got 31")

    (export,) = end_of(with_plan(), refused).exports

    assert (refused.problems, export.missing) == ([f"got 31 for key {KEY}"], ["got 31"])


def test_exports_that_were_asked_for_have_an_end_before_anything_is_known_of_them() -> None:
    end = end_of(Journal(), Refused("no profile"), "a", "b")

    assert [(e.export, e.outcome, e.missing) for e in end.exports] == [
        ("a", "refused", ["no profile"]),
        ("b", "refused", ["no profile"]),
    ]


def test_exports_of_the_project_are_those_of_the_refusal() -> None:
    end = end_of(Journal(), Refused("no table", subject_of(["a", "b"])))

    assert [export.export for export in end.exports] == ["a", "b"]


def test_a_signal_has_its_exit_code_and_no_cause() -> None:
    end = end_of(with_plan(), Interrupted(15))

    (export,) = end.exports
    assert (end.exit_code, end.outcome, export.missing) == (143, "interrupted", [])


def test_the_exit_code_is_that_of_the_worst_export() -> None:
    journal = Journal(tables={"a": "t", "b": "u"})
    journal.results = {"a": COMPLETE, "b": Refused("another run")}

    end = end_of(journal, None)

    assert (end.exit_code, end.outcome) == (2, "refused")


def test_a_kept_plan_is_applied_with_the_command_for_it() -> None:
    journal = with_plan()
    journal.kept = ".loader/user_items/runs/1"

    (export,) = run_end(journal, "apply", [], Guarded("x")).exports

    assert export.next_command == "loader apply .loader/user_items/runs/1 --allow-deletes 5"


def test_a_kept_plan_that_is_too_old_is_planned_again_with_its_options() -> None:
    journal = with_plan(settings=Settings(target="prod", requests=9))
    journal.kept = ".loader/user_items/runs/1"

    (export,) = run_end(journal, "apply", [], Outdated("another run was committed")).exports

    assert (export.next_step, export.next_command) == (
        "Plan again with",
        "loader plan --export user_items --target prod",
    )


def test_a_kept_plan_that_cannot_be_read_has_no_command() -> None:
    journal = Journal(kept=".loader/user_items/runs/1")

    (export,) = run_end(journal, "apply", ["user_items"], Refused("not JSON")).exports

    assert (export.next_step, export.next_command) == ("", "")


def test_the_folder_of_a_run_without_a_report_is_sent_if_it_stays() -> None:
    kept, begun, recorded, removed = with_plan(), with_plan(), with_plan(), with_plan()
    kept.kept = "s3://b/user_items/runs/1"
    begun.begun.add("user_items")
    recorded.recorded.add("user_items")

    folders = [
        end_of(journal, Interrupted()).exports[0].folder
        for journal in (kept, begun, recorded, removed)
    ]

    run = f".loader/user_items/runs/{PLAN.run}"
    assert folders == ["s3://b/user_items/runs/1", run, run, ""]


def test_a_load_that_is_refused_records_it_in_the_folder_that_is_sent(tmp_path: Path) -> None:
    journal = with_plan(settings=Settings(storage=str(tmp_path)))
    lock: Any = SimpleNamespace(folder=Location(str(tmp_path / "user_items")), run=journal.run)
    locks: Any = SimpleNamespace(held={"user_items": lock}, settings=journal.settings)

    refused = Refused("no table")
    with pytest.raises(Refused), run._recorded(locks, journal):
        raise refused

    (end,) = end_of(journal, refused).exports
    assert Path(end.folder, "not_written.json").is_file()


def test_a_signal_after_the_last_commit_interrupts_the_command_and_not_its_exports() -> None:
    journal = Journal(tables={"user_items": "items"}, results={"user_items": COMPLETE})

    end = end_of(journal, Interrupted(15))

    assert (end.exit_code, end.outcome) == (143, "interrupted")
    assert [export.outcome for export in end.exports] == ["complete"]
    assert [message.is_notified(end, {word}) for word in ("interrupted", "problem", "failed")] == [
        *(True, True, False)
    ]
    assert message.summary(end) == "user_items complete (interrupted, exit code 143)"


def test_a_command_without_anything_to_do_has_no_end_of_an_export() -> None:
    end = end_of(Journal(), None, "user_items")

    assert (end.exit_code, end.exports, end.outcome) == (0, [], "complete")
