"""The status of an export, from real files."""

import json
import os
import re
from collections.abc import Callable
from dataclasses import asdict, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from loader.dynamodb.identity import TableIdentity
from loader.errors import Refused
from loader.report import files, history
from loader.report import status as status_module
from loader.report.in_doubt import LIST_FILE
from loader.report.past_runs import past_runs
from loader.report.status import Status, statuses
from loader.report.status_lines import status_facts, status_lines
from loader.settings import Settings
from loader.storage.changeset import CHANGES, DELETE, PUT, SCHEMA, cut_slices, write_part
from loader.storage.location import Location
from loader.storage.lock_file import LOCK_FILE
from loader.storage.not_written import NOT_WRITTEN, PLAN_ONLY, NotWritten, save_not_written
from loader.storage.prune import prune
from loader.storage.slice_outcome import APPLIED, NotSent, SliceOutcome, outcome_file
from loader.storage.state_file import CURRENT_FILE, State, commit, read_state
from loader.storage.state_part import StatePart
from loader.storage.unfinished import SLICES, Begun, begin, record
from tests.support.example_report import COMPLETE
from tests.support.html_reader import Reader

NOW = datetime(2026, 1, 9, 12, 0, tzinfo=timezone.utc)
LOCK = {
    "id": "a1",
    "run": "2026-01-09",
    "user": "ada",
    "host": "etl-1",
    "pid": 4711,
    "command": "loader load",
    "since": "2026-01-09T11:48:00+00:00",
    "renewed": "2026-01-09T11:59:58+00:00",
    "renewals": 359,
    "seconds": 60.0,
}


def complete(folder: Path, run: str) -> None:
    files.save(replace(COMPLETE, run=run), Location(str(folder / "runs" / run)))
    history.save(Location(str(folder)))


def state(serial: int, run: str, *parts: StatePart, identity: TableIdentity | None = None) -> State:
    table = asdict(identity) if identity else {}
    return State(
        serial, run, "user_items", table, (("k", "N"),), 1, 1, {}, "2026-01-09T05:00:00Z", parts
    )


def committed(folder: Path, run: str, serial: int, identity: TableIdentity | None = None) -> None:
    """A state of 3 keys in a file of 2,048 bytes."""
    location = Location(str(folder))
    (location / f"runs/{run}/state").write("0.arrow", bytes(2_048))
    part = StatePart(0, f"runs/{run}/state/0.arrow", 3, "00")
    commit(location, state(serial, run, part, identity=identity), read_state(location)[1])


def broken_off(
    folder: Path, run: str, ended: int = 1, identity: TableIdentity | None = None
) -> None:
    """A run that began to write 3 slices of 2 puts and a delete, and ended some of them."""
    location = Location(str(folder / "runs" / run))
    location.write("plan.json", b"{}")
    parts = [
        write_part(location / CHANGES, f"{n}.arrow", n, [batch(n, PUT, 2), batch(n, DELETE, 1)])
        for n in range(3)
    ]
    for part in parts:
        part.write_units = 3
    table = asdict(identity) if identity else {}
    record(location, Begun(run, table, 3, 0.0, cut_slices(parts, 3)))
    export = Location(str(folder))
    known, version = read_state(export)
    begin(export, known or state(0, ""), version, run)
    for number in range(ended):
        outcome = SliceOutcome(number, 1, rejected=1, not_sent=[NotSent(number, 1, "busy")])
        (location / APPLIED).write(outcome_file(number), json.dumps(asdict(outcome)).encode())


def batch(part: int, op: int, count: int) -> pa.RecordBatch:
    """Changes of keys such as 21: the second of part 2."""
    values: dict[str, Any] = {
        "op": op, "size": 100, "digest": None, "prior": None, "in_state": True, "request": "{}",
    }  # fmt: skip
    keys = [f'"k":{{"N":"{part}{op}{n}"}}' for n in range(count)]
    return pa.RecordBatch.from_pylist([{**values, "key": key} for key in keys], schema=SCHEMA)


def kept_plan(folder: Path, run: str) -> None:
    """A plan that has ended, as `loader plan` leaves it."""
    location = Location(str(folder / "runs" / run))
    location.write(PLAN_ONLY, b"")
    (location / CHANGES).write("0.arrow", b"")
    location.write("plan.json", b"{}")


def lock(folder: Path, age: float, **changes: Any) -> None:
    file = folder / LOCK_FILE
    file.write_text(json.dumps({**LOCK, **changes}))
    renewed = file.stat().st_mtime - age
    os.utime(file, (renewed, renewed))


def status(folder: Path, list_doubts: bool = False) -> Status:
    (status,) = statuses(Settings(storage=str(folder.parent)), folder.name, list_doubts)
    return status


def shown(folder: Path, **options: bool) -> list[str]:
    lines = status_lines(status(folder, **options), NOW)
    return [line.replace(str(folder.parent), "storage") for line in lines]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "user_items"


def test_a_complete_run_is_good(folder: Path) -> None:
    complete(folder, "2026-01-07")
    committed(folder, "2026-01-08", serial=14)
    complete(folder, "2026-01-08")

    assert shown(folder) == [
        "user_items   complete",
        "  state      serial 14, 3 keys, 2 KB; committed 7 h ago by run 2026-01-08",
        "  lock       none",
        "  runs       2026-01-08  complete  4,000 put, 0 deleted, 0 unchanged, 4,321 write units, "
        "10.0 s",
        "             2026-01-07  complete  4,000 put, 0 deleted, 0 unchanged, 4,321 write units, "
        "10.0 s",
        "  page       storage/user_items/index.html",
    ]
    assert status(folder).is_good


def test_an_incomplete_run_is_shown_with_what_is_missing_and_its_next_command(folder: Path) -> None:
    report = replace(COMPLETE, put=3_993, not_sent=7, run="2026-01-08")
    files.save(report, Location(str(folder / "runs/2026-01-08")))

    assert shown(folder) == [
        "user_items   INCOMPLETE: 7 of 4,000 changes were not acknowledged",
        "  state      none: the next load puts every item, deletes none",
        "  lock       none",
        "  runs       2026-01-08  INCOMPLETE  7 of 4,000 changes were not acknowledged",
        f"Continue with:  {report.next_command}",
    ]
    assert not status(folder).is_good


def test_a_run_that_was_killed_is_shown_with_its_keys_in_doubt_and_the_command_that_resumes(
    folder: Path,
) -> None:
    committed(folder, "2026-01-08", serial=14)
    complete(folder, "2026-01-08")
    broken_off(folder, "2026-01-09")

    lines = shown(folder)

    assert lines[0] == "user_items   IN DOUBT: 6 changes may be in the table or not"
    assert lines[3] == (
        "  runs       2026-01-09  did not end  in the apply: some of its changes may be written"
    )
    assert lines[5:] == [
        "  unfinished run 2026-01-09: 1 written, 1 rejected, 1 not acknowledged, 6 in doubt",
        "             in doubt: k 100, k 101, k 110, k 200, k 201, … (5 of 6)",
        "             changeset: storage/user_items/runs/2026-01-09/changes",
        "  page       storage/user_items/index.html",
        "Continue with:  loader resume user_items --storage storage",
    ]
    assert not status(folder).is_good


def test_an_unfinished_run_of_another_table_is_named_with_both_tables_and_not_resumed(
    folder: Path,
) -> None:
    us = TableIdentity("users", "us-east-1", "https://us", "arn:us", "1", "2026-01-01")
    eu = replace(us, region="eu-west-1", endpoint="https://eu", arn="arn:eu", table_id="2")
    committed(folder, "2026-01-08", serial=14, identity=us)
    broken_off(folder, "2026-01-09", identity=eu)

    lines = shown(folder)

    assert lines[6] == (
        "             of another table: arn:eu at https://eu (created 2026-01-01, id 2); "
        "the state is of arn:us at https://us (created 2026-01-01, id 1)"
    )
    assert lines[-1] == "Load again with:  loader load --export user_items --storage storage"
    assert not status(folder).is_good


def test_all_keys_in_doubt_are_listed_when_asked(folder: Path) -> None:
    broken_off(folder, "2026-01-09", ended=2)
    file = folder / "runs/2026-01-09/in_doubt.jsonl"

    assert not file.exists()
    assert "             list: storage/user_items/runs/2026-01-09/in_doubt.jsonl" in shown(
        folder, list_doubts=True
    )
    common = {"run": "2026-01-09", "partition": 2}
    assert [json.loads(line) for line in file.read_text().splitlines()] == [
        {**common, "op": "put", "key": {"k": {"N": "200"}}},
        {**common, "op": "put", "key": {"k": {"N": "201"}}},
        {**common, "op": "delete", "key": {"k": {"N": "210"}}},
    ]


def test_a_run_whose_changeset_is_gone_is_a_problem(folder: Path) -> None:
    broken_off(folder, "2026-01-09")
    (folder / "runs/2026-01-09/changes/1.arrow").unlink()

    lines = shown(folder)

    assert lines[0] == "user_items   UNKNOWN: files of the storage cannot be read"
    assert lines[4].startswith(
        "  problem    run 2026-01-09 must have its file storage/user_items/runs/2026-01-09/changes/"
        "1.arrow, because it has not ended, got none: "
    )
    assert not status(folder).is_good


def test_a_run_that_a_later_commit_knows_is_not_in_doubt(folder: Path) -> None:
    broken_off(folder, "2026-01-07")
    committed(folder, "2026-01-08", serial=14)
    complete(folder, "2026-01-08")

    assert status(folder).in_doubt == 0
    assert status(folder).is_good


def test_a_run_that_lives_is_running_and_its_changes_are_not_in_doubt(folder: Path) -> None:
    broken_off(folder, "2026-01-09")
    lock(folder, age=1.0)

    lines = shown(folder)

    assert lines[0] == "user_items   running"
    assert re.sub(r"[\d.]+ s ago", "1.0 s ago", lines[2]) == (
        "  lock       id a1, of ada on etl-1 (process 4711) since 12 min ago, renewed 1.0 s ago; "
        "run 2026-01-09, `loader load`"
    )
    assert lines[3:] == [
        "  runs       2026-01-09  running",
    ]
    assert status(folder).is_good


@pytest.mark.parametrize("has_report", [False, True])
def test_a_run_that_starts_to_resume_has_no_next_command(folder: Path, has_report: bool) -> None:
    """Until it writes, its folder has the report of its earlier apply, or why there is none."""
    if has_report:
        report = replace(COMPLETE, put=3_993, not_sent=7, run="2026-01-09")
        files.save(report, Location(str(folder / "runs/2026-01-09")))
    else:
        save_not_written(Location(str(folder / "runs/2026-01-09")), REFUSAL)
    lock(folder, age=1.0)

    assert shown(folder)[0] == "user_items   running"
    assert shown(folder)[3] == "  runs       2026-01-09  running"
    (run,) = status_facts(status(folder))["runs"]
    assert (run["outcome"], run["put"], status(folder).next_step) == ("running", None, "")
    assert status(folder).next_command == ""


def test_the_lock_of_a_dead_run_is_expired(folder: Path) -> None:
    broken_off(folder, "2026-01-09")
    lock(folder, age=60 + 3 * 3_600)

    lines = shown(folder)

    assert lines[0] == "user_items   IN DOUBT: 6 changes may be in the table or not"
    assert lines[2] == (
        "  lock       id a1, of ada on etl-1 (process 4711) since 12 min ago, renewed "
        "3 h 01 min ago, expired 3 h ago; run 2026-01-09, `loader load`"
    )
    assert not status(folder).is_good


def test_files_that_cannot_be_read_are_problems_and_hide_no_other(folder: Path) -> None:
    complete(folder, "2026-01-08")
    (folder / "current.json").write_text("{}")
    (folder / LOCK_FILE).write_text("[]")

    lines = shown(folder)

    assert lines[:3] == [
        "user_items   UNKNOWN: files of the storage cannot be read",
        "  state      unknown",
        "  lock       unknown",
    ]
    assert lines[4].startswith("  problem    storage/user_items/current.json must be the state of ")
    assert lines[5] == (
        "             storage/user_items/lock.json must be the lock of a run, got a damaged file: "
        "load again, which replaces it when it has expired, or delete it"
    )
    assert not status(folder).is_good


def test_a_plan_that_was_only_kept_does_not_count_as_a_run(folder: Path) -> None:
    complete(folder, "2026-01-08")
    Location(str(folder / "runs" / "2026-01-09")).write("plan.json", b"{}")
    kept_plan(folder, "2026-01-10")

    assert shown(folder)[0] == "user_items   complete"
    assert status(folder).is_good


def test_a_load_that_was_killed_before_its_apply_is_no_plan_that_was_kept(folder: Path) -> None:
    """The state is good, but its changes were never written, and nothing else says so."""
    complete(folder, "2026-01-08")
    kept_plan(folder, "2026-01-09")
    kept_plan(folder, "2026-01-10")
    (folder / "runs/2026-01-10" / PLAN_ONLY).unlink()

    lines = shown(folder)

    ended = "between its plan and its apply: nothing was written"
    assert lines[0] == f"user_items   did not end: {ended}"
    assert lines[3:5] == [
        f"  runs       2026-01-10  did not end  {ended}",
        "             2026-01-09  planned      not applied",
    ]
    assert not status(folder).is_good


@pytest.mark.parametrize("plans", [1, 5, 40])
def test_plans_that_were_only_kept_hide_no_run_before_them(folder: Path, plans: int) -> None:
    save_not_written(Location(str(folder / "runs" / "2026-01-08")), REFUSAL)
    for number in range(plans):
        kept_plan(folder, f"2026-01-09-{number:02}")

    lines = shown(folder)

    assert lines[0] == "user_items   REFUSED: export user_items must delete at most 10 %"
    assert lines[-1] == "If so:  loader load --allow-deletes 4"
    assert not status(folder).is_good
    assert len(status(folder).runs) == min(5, plans + 1)


REFUSAL = NotWritten(
    True, ["export user_items must delete at most 10 %"], "If so", "loader load --allow-deletes 4"
)


def test_a_refused_run_is_shown_with_its_guard_and_its_command_until_a_later_run(
    folder: Path,
) -> None:
    complete(folder, "2026-01-08")
    save_not_written(Location(str(folder / "runs" / "2026-01-09")), REFUSAL)
    save_not_written(
        Location(str(folder / "runs" / "2026-01-10")), replace(REFUSAL, problems=["a", "b"])
    )
    history.save(Location(str(folder)))

    lines = shown(folder)

    assert lines[0] == "user_items   REFUSED: a and b"
    assert lines[3:5] == [
        "  runs       2026-01-10  REFUSED   a and b",
        "             2026-01-09  REFUSED   export user_items must delete at most 10 %",
    ]
    assert lines[-1] == "If so:  loader load --allow-deletes 4"
    assert not status(folder).is_good
    page = Reader((folder / "index.html").read_text()).text
    assert "user_items: the last run is REFUSED, nothing was written Why a and b If so" in page
    complete(folder, "2026-01-11")
    assert (status(folder).is_good, status(folder).next_command) == (True, "")
    page = Reader((folder / "index.html").read_text()).text
    assert "user_items: the last run is complete" in page
    assert "2026-01-10 ✗ REFUSED a and b 2026-01-09 ✗ REFUSED export" in page


def test_a_run_that_failed_in_its_plan_is_shown_with_the_cause(folder: Path) -> None:
    record = replace(REFUSAL, refused=False, problems=["cannot read partition 1"])
    save_not_written(Location(str(folder / "runs" / "2026-01-09")), record)

    assert shown(folder)[0] == "user_items   FAILED: cannot read partition 1"
    assert not status(folder).is_good


def test_a_refused_plan_that_was_applied_nevertheless_is_a_run_like_others(folder: Path) -> None:
    broken_off(folder, "2026-01-09")
    save_not_written(Location(str(folder / "runs" / "2026-01-09")), REFUSAL)

    assert shown(folder)[0] == "user_items   IN DOUBT: 6 changes may be in the table or not"
    complete(folder, "2026-01-09")
    assert [run.outcome for run in status(folder).runs] == ["complete"]


@pytest.mark.parametrize(
    "content", ["{", "[]", "{}", json.dumps({**asdict(REFUSAL), "problems": []})]
)
def test_a_record_of_a_refusal_that_is_damaged_is_named(folder: Path, content: str) -> None:
    Location(str(folder / "runs" / "2026-01-09")).write(NOT_WRITTEN, content.encode())

    assert shown(folder)[0] == (
        "user_items   not readable: not_written.json is damaged: it is not a record of this version"
    )


def test_a_plan_that_has_not_ended_does_not_count_as_a_run(folder: Path) -> None:
    complete(folder, "2026-01-08")
    planning = Location(str(folder / "runs" / "2026-01-09"))
    planning.write(PLAN_ONLY, b"")
    (planning / CHANGES).write("0.arrow", b"")

    assert shown(folder)[0] == "user_items   complete"
    assert shown(folder)[3] == (
        "  runs       2026-01-09  planned   a plan that has not ended: it writes no item"
    )
    assert status(folder).is_good
    Location(str(folder / "runs" / "2026-01-10" / CHANGES)).write("0.arrow", b"")
    assert shown(folder)[0] == "user_items   did not end: in the plan: nothing was written"


def test_every_export_of_the_storage_is_shown(tmp_path: Path) -> None:
    complete(tmp_path / "b", "2026-01-08")
    committed(tmp_path / "a", "2026-01-08", serial=1)
    (tmp_path / "c").mkdir()

    names = [status.export for status in statuses(Settings(storage=str(tmp_path)))]

    assert names == ["a", "b"]


def test_an_export_or_a_storage_without_a_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused) as empty:
        statuses(Settings(storage=str(tmp_path)))
    complete(tmp_path / "a", "2026-01-08")
    with pytest.raises(Refused) as unknown:
        statuses(Settings(storage=str(tmp_path)), "b")

    assert str(empty.value) == (
        f"--storage {tmp_path} must have a run of an export, got none: "
        "give the --storage of its loads"
    )
    assert str(unknown.value) == (
        f"--storage {tmp_path} must have a run of export b, got none: "
        "give the --storage of its loads, or one of the exports a"
    )


def test_the_facts_are_those_of_the_lines(folder: Path) -> None:
    committed(folder, "2026-01-08", serial=14)
    complete(folder, "2026-01-08")
    broken_off(folder, "2026-01-09")

    facts = json.loads(json.dumps(status_facts(status(folder))))

    run, unended = facts.pop("runs")[::-1]
    assert (run["run"], run["outcome"], run["put"]) == ("2026-01-08", "complete", 4_000)
    assert (unended["outcome"], unended["put"]) == ("did not end", None)
    assert facts == {
        "export": "user_items",
        "folder": str(folder),
        "good": False,
        "in_doubt": 6,
        "state": {
            "serial": 14,
            "run": "2026-01-08",
            "committed": "2026-01-09T05:00:00Z",
            "keys": 3,
            "bytes": 2_048,
            "adopted": False,
        },
        "lock": None,
        "unfinished": [
            {
                "run": "2026-01-09",
                "written": 1,
                "rejected": 1,
                "not_acknowledged": 1,
                "in_doubt": 6,
                "keys": [{"k": {"N": n}} for n in ("100", "101", "110", "200", "201")],
                "changeset": f"{folder}/runs/2026-01-09/changes",
                "listed_in": "",
                "other_table": "",
            }
        ],
        "problems": [],
        "page": f"{folder}/index.html",
        "next_command": f"loader resume user_items --storage {folder.parent}",
    }


def test_a_missing_file_of_the_state_is_a_problem(folder: Path) -> None:
    committed(folder, "r1", 1)
    (folder / "runs/r1/state/0.arrow").unlink()

    found = status(folder)

    assert (found.state, found.is_good) == (None, False)
    assert found.problems == [
        f"cannot use the state {folder}/runs/r1/state/0.arrow: the file is missing. Rebuild the "
        f"state from the table: `loader state adopt user_items --storage {folder.parent}`; or "
        f"delete {folder}/current.json: then the next load puts every item and deletes none"
    ]


def test_an_adoption_has_ended_and_what_the_run_before_it_left_is_no_longer_to_be_done(
    folder: Path,
) -> None:
    files.save(
        replace(COMPLETE, put=3_993, not_sent=7, run="r1"), Location(str(folder / "runs" / "r1"))
    )
    committed(folder, "r2", 2)
    Location(str(folder / "runs" / "r2")).write("committed.json", b'{"serial": 2}')

    found = status(folder)

    assert [(run.run, run.outcome) for run in found.runs] == [
        ("r2", "adopted"),
        ("r1", "INCOMPLETE"),
    ]
    assert (found.is_good, found.next_command) == (True, "")
    assert shown(folder)[0] == "user_items   adopted: the state is what the table had"


@pytest.mark.parametrize(
    ("adopted", "outcome", "note"),
    [
        (True, "adopted", "the state is what the table had"),
        (False, "did not end", "after its commit: all its changes are written"),
    ],
)
def test_the_run_of_the_state_is_committed_also_if_its_mark_could_not_be_written(
    folder: Path, adopted: bool, outcome: str, note: str
) -> None:
    location = Location(str(folder))
    if not adopted:
        (location / "runs/r1").write("plan.json", b"{}")
    (location / "runs/r1/applied").write("slices.json", b"{}")
    commit(location, replace(state(1, "r1"), adopted=adopted), None)

    last = status(folder).last

    assert last is not None
    assert (last.outcome, last.note) == (outcome, note)


FIRST, SECOND = "2026-01-07T05-00-00-000Z-7f3a", "2026-01-08T05-00-00-000Z-7f3a"


def during(
    monkeypatch: pytest.MonkeyPatch, method: str, file: str, call: int, act: Callable[[], None]
) -> None:
    """Act once, after the file was read, measured or opened for the n-th time."""
    original, calls = getattr(Location, method), [0]

    def racing(self: Location, name: str, *rest: Any) -> Any:
        result = original(self, name, *rest)
        if name == file:
            calls[0] += 1
            if calls[0] == call:
                act()
        return result

    monkeypatch.setattr(Location, method, racing)


def ends(folder: Path) -> None:
    """The load that was writing is committed, and removes what its state has replaced."""
    committed(folder, SECOND, serial=2)
    home = Location(str(folder))
    known, _ = read_state(home)
    assert known is not None
    prune(home, known, keep_runs=10)


@pytest.mark.parametrize(
    ("method", "file", "call"),
    [
        ("read_version", CURRENT_FILE, 2),
        ("read", SLICES, 1),
        ("read", outcome_file(0), 1),
        ("read", "report.json", 1),
        ("replace", LIST_FILE, 1),
    ],
)
def test_a_load_that_ends_while_its_status_is_read_is_shown_as_it_ended(
    folder: Path, monkeypatch: pytest.MonkeyPatch, method: str, file: str, call: int
) -> None:
    complete(folder, FIRST)
    committed(folder, FIRST, serial=1)
    broken_off(folder, SECOND, ended=2)
    during(monkeypatch, method, file, call, lambda: ends(folder))

    found = status(folder, list_doubts=True)

    monkeypatch.undo()
    assert found == status(folder)
    assert (found.problems, found.unfinished) == ([], [])
    assert found.state is not None
    assert (found.state.serial, found.state.bytes) == (2, 2_048)


def test_a_status_during_which_runs_always_begin_or_end_says_so(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    committed(folder, FIRST, serial=1)
    home = Location(str(folder))
    past = status_module.past_runs

    def begun(*arguments: Any) -> Any:
        known, version = read_state(home)
        assert known is not None
        commit(home, replace(known, begins=known.begins + 1), version)
        return past(*arguments)

    monkeypatch.setattr(status_module, "past_runs", begun)

    assert status(folder).problems == [
        "cannot read the status of export user_items: a run began or ended during each of 5 "
        "reads. Run the command again"
    ]


def test_a_run_that_is_removed_while_the_last_runs_are_read_is_left_out(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    complete(folder, FIRST)
    complete(folder, SECOND)
    home = Location(str(folder))
    listed = Location.files

    def files_of(self: Location) -> list[str]:
        if self.name == FIRST:
            self.delete()
        return listed(self)

    monkeypatch.setattr(Location, "files", files_of)

    assert [run.run for run in past_runs(home)] == [SECOND]
