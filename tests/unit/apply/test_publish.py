"""The end of an apply."""

import signal
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest

from loader import publish
from loader.errors import ApplyFailed, Outdated
from loader.interruption import Interrupted, received
from loader.publish import PlannedApply
from loader.report.files import PAGE_FILE, REPORT_FILE
from loader.report.past_runs import FAILED, REFUSED, PastRun, past_run
from loader.report.timing import Stopwatch
from loader.settings import Settings
from loader.storage.location import Location
from loader.storage.lock import RunLock
from loader.storage.not_written import NOT_WRITTEN, NotWritten, read_not_written
from loader.storage.unfinished import APPLIED, PLAN_FILE, SLICES
from tests.support.example_plan import planned

STEP = "Fix the cause, then"


class World:
    """An apply whose lock is lost when the clock of its machine has gone on for a minute."""

    def __init__(self, folder: Path, *, begun: bool = False, kept: bool = False) -> None:
        unused: Any = None
        self.now, self.ended = 0.0, list[Any]()
        self.settings = Settings(storage=str(folder))
        home = Location(str(folder / "user_items"))
        self.run = home / "runs/r1"
        lock = RunLock(home, "user_items", "r1", "loader load", clock=lambda: self.now)
        self.apply = PlannedApply(
            unused,
            self.settings,
            planned(),
            self.run,
            unused,
            lock,
            Stopwatch(),
            {},
            unused,
            {"user_items"} if begun else set(),
            str(self.run) if kept else "",
            [self.run],
        )

    def start(self, *waiting: str) -> Any:
        """What the run ends with."""
        self.apply.run(waiting, self.ended.append)
        [end] = self.ended
        return end


def fails_before_it_begins(_: PlannedApply) -> None:
    raise ApplyFailed("cannot write to newest_build.json")


@pytest.fixture
def writing(monkeypatch: pytest.MonkeyPatch) -> Any:
    def written(how: Any) -> None:
        monkeypatch.setattr(PlannedApply, "_write", how)

    return written


@pytest.mark.parametrize("kept", [False, True])
def test_a_run_that_lost_its_lock_before_its_first_write_names_the_command_that_wrote_nothing(
    tmp_path: Path, kept: bool
) -> None:
    """`loader resume` would say that there is nothing to resume."""
    world = World(tmp_path, kept=kept)
    world.now = 61.0  # the machine slept while the plan read

    error = world.start()

    command = (
        f"loader apply {world.run}"
        if kept
        else f"loader load --export user_items --storage {tmp_path}"
    )
    assert str(error) == (
        "cannot go on with export user_items, because run r1 has lost its lock: it could not be "
        f"renewed for 60 s. Run `{command}` when no other run writes"
    )
    assert read_not_written(world.run) == NotWritten(False, [str(error)], STEP, command)
    assert past_run(world.run).outcome == FAILED


def test_a_run_that_fails_before_it_begins_to_write_is_recorded(
    tmp_path: Path, writing: Any
) -> None:
    world = World(tmp_path)

    writing(fails_before_it_begins)
    error = world.start()

    command = f"loader load --export user_items --storage {tmp_path}"
    assert read_not_written(world.run) == NotWritten(False, [str(error)], STEP, command)


def test_a_kept_plan_that_is_too_old_when_it_begins_is_recorded_with_the_command_that_plans(
    tmp_path: Path, writing: Any
) -> None:
    world = World(tmp_path, kept=True)
    world.run.write(PLAN_FILE, b"{}")

    def write(_: PlannedApply) -> None:
        (world.run / APPLIED).write(SLICES, b"{}")  # before the state is read
        raise Outdated("another run was committed since this plan: plan again")

    writing(write)
    error = world.start()

    command = f"loader plan --export user_items --storage {tmp_path}"
    assert past_run(world.run) == PastRun(
        "r1", REFUSED, note=str(error), next_step="Plan again with", next_command=command
    )


def test_an_apply_that_begins_removes_what_is_known_of_an_earlier_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(tmp_path)
    for name in (REPORT_FILE, PAGE_FILE, NOT_WRITTEN):
        world.run.write(name, b"{}")
    world.apply.ready_table = Mock()
    monkeypatch.setattr(publish, "WriteLimits", Mock(side_effect=ApplyFailed("no limits")))

    with pytest.raises(ApplyFailed, match="no limits"):
        world.apply._write()

    assert world.run.files() == []


def test_the_command_that_repeats_an_apply_has_its_allowances(tmp_path: Path) -> None:
    world = World(tmp_path, kept=True)
    world.apply.settings = replace(world.settings, allow_deletes=12)
    world.now = 61.0

    error = world.start()

    command = f"loader apply {world.run} --allow-deletes 12"
    assert f"Run `{command}` when" in str(error)
    assert read_not_written(world.run).next_command == command


@pytest.mark.parametrize("paused", [0.0, 61.0])
def test_a_run_that_fails_after_it_lost_its_lock_says_that_it_lost_it(
    tmp_path: Path, writing: Any, paused: float
) -> None:
    """The next run has removed its files, so its own error would not lead to the cause."""
    world = World(tmp_path)

    def write(apply: PlannedApply) -> None:
        apply._begins()
        world.now += paused
        raise ApplyFailed("cannot open 0.arrow")

    writing(write)
    error = world.start()

    assert str(error) == (
        "cannot go on with export user_items, because run r1 has lost its lock: it could not be "
        f"renewed for 60 s. Run `loader resume user_items --storage {tmp_path}` when no other run "
        "writes"
        if paused
        else "cannot open 0.arrow"
    )
    assert world.run.files() == []


@pytest.mark.parametrize("begun", [False, True])
def test_an_interruption_says_what_was_written_and_removes_the_files_if_it_is_nothing(
    tmp_path: Path, writing: Any, begun: bool
) -> None:
    world = World(tmp_path)

    def write(apply: PlannedApply) -> None:
        if begun:
            apply._keep()
            apply._begins()
        raise Interrupted

    writing(write)
    with pytest.raises(Interrupted) as interrupted:
        world.start("other")

    assert world.apply.folders == ([] if begun else [world.run])

    assert interrupted.value.message == (
        "interrupted: table items may have some changes of export user_items. Write the others: "
        f"`loader resume user_items --storage {tmp_path}`; nothing was written for export other"
        if begun
        else "interrupted: nothing was written for exports user_items, other"
    )


def test_a_failed_run_keeps_its_folder_with_the_record_of_the_failure(
    tmp_path: Path, writing: Any
) -> None:
    world = World(tmp_path)

    writing(fails_before_it_begins)
    world.start()

    assert (world.apply.folders, world.run.files()) == ([], ["not_written.json"])


@pytest.mark.parametrize(
    ("waiting", "message"),
    [
        ([], "interrupted: the run had ended"),
        (
            ["a", "b"],
            "interrupted: export user_items had ended; nothing was written for exports a, b",
        ),
    ],
)
def test_a_signal_after_the_end_of_an_export_does_not_say_that_nothing_was_written(
    tmp_path: Path, writing: Any, handlers: None, waiting: list[str], message: str
) -> None:
    """Such as while the locks are released, below a report that says complete."""
    world = World(tmp_path)

    def write(apply: PlannedApply) -> None:
        apply._begins()
        raise ApplyFailed("cannot open 0.arrow")

    def run() -> None:
        world.start(*waiting)
        signal.raise_signal(signal.SIGTERM)

    writing(write)
    with pytest.raises(Interrupted) as interrupted, received():
        run()

    assert (interrupted.value.message, interrupted.value.exit_code) == (message, 143)


def test_a_signal_while_a_failure_is_reported_waits_for_it_and_is_of_that_export(
    tmp_path: Path, writing: Any, handlers: None
) -> None:
    world = World(tmp_path)
    shown = []

    def write(apply: PlannedApply) -> None:
        apply._begins()
        raise ApplyFailed("cannot open 0.arrow")

    def ended(error: Any) -> None:
        signal.raise_signal(signal.SIGTERM)
        shown.append(str(error))

    writing(write)
    with pytest.raises(Interrupted) as interrupted, received():
        world.apply.run([], ended)

    assert shown == ["cannot open 0.arrow"]
    assert interrupted.value.message == "interrupted: export user_items had ended"
