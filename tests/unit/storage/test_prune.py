"""What is removed after a commit; tests/integration/storages runs these on S3 too."""

from dataclasses import replace
from datetime import datetime, timezone

import pytest

from loader.checks import run_id
from loader.errors import StorageFailed
from loader.storage import prune as module
from loader.storage.location import Location
from loader.storage.prune import prune
from loader.storage.state_file import State, commit
from loader.storage.state_part import StatePart

RUNS = [f"2026-11-{day:02d}T06-00-00-000Z-7f3a" for day in range(1, 8)]
FOLDERS = ("applied", "changes", "rejects", "state")


@pytest.fixture
def folder(storage: Location) -> Location:
    """The folder of an export with seven runs, the last two of them newer than the state."""
    folder = storage / "users"
    for run in RUNS:
        for name in ("plan.json", "report.json", "rejects.jsonl"):
            (folder / "runs" / run).write(name, b"1")
        for name in FOLDERS:
            (folder / "runs" / run / name).write("0.x", b"2")
            (folder / "runs" / run / name).write("1.x", b"2")
    return folder


def state_of(run: str, *files: str) -> State:
    parts = tuple(StatePart(n, file, 1, "") for n, file in enumerate(files))
    return State(
        12, run, "users", {}, (("user_id", "S"),), 2, 1, {}, "2026-11-05T06:00:00+00:00", parts
    )


STATE = state_of(RUNS[4], f"runs/{RUNS[4]}/state/0.x", f"runs/{RUNS[4]}/state/1.x")


def left(folder: Location) -> dict[str, list[str]]:
    """The folders of each run that is left."""
    runs = folder / "runs"
    return {run: (runs / run).folders() for run in runs.folders()}


def test_the_newest_runs_stay_with_their_reports_and_without_changesets(folder: Location) -> None:
    commit(folder, STATE, None)
    prune(folder, STATE, 3)

    assert left(folder) == {
        RUNS[2]: [],
        RUNS[3]: [],
        RUNS[4]: ["state"],
        RUNS[5]: [*FOLDERS],
        RUNS[6]: [*FOLDERS],
    }
    kept = [(folder / "runs" / run).files() for run in RUNS[2:]]
    assert kept == [["plan.json", "rejects.jsonl", "report.json"]] * 5
    assert (folder / "runs" / RUNS[4] / "state").files() == ["0.x", "1.x"]


def test_a_run_that_the_state_refers_to_is_never_removed(folder: Location) -> None:
    state = state_of(RUNS[4], f"runs/{RUNS[0]}/state/1.x", f"runs/{RUNS[4]}/state/0.x")
    commit(folder, state, None)
    prune(folder, state, 1)

    assert left(folder) == {
        RUNS[0]: ["state"],
        RUNS[4]: ["state"],
        RUNS[5]: [*FOLDERS],
        RUNS[6]: [*FOLDERS],
    }
    assert (folder / "runs" / RUNS[0] / "state").files() == ["1.x"]
    assert (folder / "runs" / RUNS[4] / "state").files() == ["0.x"]


def test_a_kept_changeset_stays_until_its_run_is_removed(folder: Location) -> None:
    version = commit(folder, STATE, None)
    prune(folder, STATE, 1, keep=True)
    changeset = ["applied", "changes", "rejects"]
    first = left(folder)
    later = replace(state_of(RUNS[5], f"runs/{RUNS[5]}/state/0.x"), serial=13)
    version = commit(folder, later, version)
    prune(folder, later, 2)
    second = left(folder)
    commit(folder, replace(later, serial=14), version)
    prune(folder, replace(later, serial=14), 1)

    assert first == {RUNS[4]: [*changeset, "state"], RUNS[5]: [*FOLDERS], RUNS[6]: [*FOLDERS]}
    assert second == {RUNS[4]: changeset, RUNS[5]: ["state"], RUNS[6]: [*FOLDERS]}
    assert left(folder) == {RUNS[5]: ["state"], RUNS[6]: [*FOLDERS]}


@pytest.mark.parametrize(
    "on_disk", [None, replace(STATE, serial=11), replace(STATE, run=RUNS[6]), b"{"]
)
def test_nothing_is_removed_if_the_state_is_not_the_one_that_was_committed(
    folder: Location, on_disk: State | bytes | None, capsys: pytest.CaptureFixture[str]
) -> None:
    if isinstance(on_disk, State):
        commit(folder, on_disk, None)
    elif on_disk:
        folder.write("current.json", on_disk)
    prune(folder, STATE, 1)

    assert left(folder) == {run: [*FOLDERS] for run in RUNS}
    warning = capsys.readouterr().err
    assert warning.startswith("warning: the run is committed, but " if on_disk == b"{" else "")
    assert ("current.json must be the state" in warning) == (on_disk == b"{")


def test_the_files_of_a_plan_that_goes_on_are_left_alone(folder: Location) -> None:
    commit(folder, STATE, None)
    (folder / "runs" / RUNS[3]).remove("plan.json")
    prune(folder, STATE, 3)

    assert left(folder)[RUNS[3]] == [*FOLDERS]


def test_a_plan_that_was_never_applied_is_left_alone_while_it_is_new_enough(
    folder: Location,
) -> None:
    commit(folder, STATE, None)
    for run in (RUNS[0], RUNS[3]):
        (folder / "runs" / run / "applied").delete()
    prune(folder, STATE, 3)

    assert left(folder)[RUNS[3]] == ["changes", "rejects", "state"]
    assert RUNS[0] not in left(folder)


def test_a_committed_run_without_a_change_has_its_changeset_removed(folder: Location) -> None:
    commit(folder, STATE, None)
    (folder / "runs" / RUNS[4] / "applied").delete()
    prune(folder, STATE, 3)

    assert left(folder)[RUNS[4]] == ["state"]


def test_the_files_of_a_verification_that_was_killed_go_with_the_runs_of_its_time(
    folder: Location,
) -> None:
    commit(folder, STATE, None)
    for run in (RUNS[1], RUNS[4]):
        (folder / "verify" / run / "changes").write("0.arrow", b"2")

    prune(folder, STATE, keep_runs=2)

    assert (folder / "verify").folders() == [RUNS[4]]


def test_folders_that_are_not_runs_are_left_alone(folder: Location) -> None:
    commit(folder, STATE, None)
    for name in ("0000", "2026-11-01", f"{RUNS[0]}.old"):
        (folder / "runs" / name / "changes").write("x", b"1")
        (folder / "runs" / name).write("plan.json", b"1")
    prune(folder, STATE, 1)

    assert [run for run in left(folder) if run not in RUNS] == [
        *("0000", "2026-11-01", f"{RUNS[0]}.old"),
    ]


def test_a_run_that_cannot_be_removed_is_a_warning_and_the_others_are_removed(
    folder: Location, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    delete, place = Location.delete, str(folder / "runs" / RUNS[0])

    def refuse(self: Location) -> None:
        if self.uri == place:
            raise StorageFailed("remove", place, "AccessDenied: Access Denied", "Grant it")
        delete(self)

    monkeypatch.setattr(Location, "delete", refuse)
    commit(folder, STATE, None)
    prune(folder, STATE, 3)

    assert sorted(left(folder)) == [RUNS[0], *RUNS[2:]]
    assert capsys.readouterr().err == (
        f"warning: the run is committed, but cannot remove {place}: AccessDenied: Access Denied. "
        "Grant it\n"
    )


def test_the_names_of_runs_are_those_that_a_run_gives() -> None:
    assert module.RUN.fullmatch(run_id(datetime.now(timezone.utc)))
