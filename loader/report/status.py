"""The status of an export, read from its storage: neither the warehouse nor DynamoDB is asked."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

from loader import next_command
from loader.dynamodb.identity import TableIdentity, identity_problem
from loader.errors import Refused, StorageFailed
from loader.report.history import INDEX_FILE
from loader.report.in_doubt import LIST_FILE, changes_in_doubt, key_examples, list_in_doubt
from loader.report.past_runs import (
    ADOPTED,
    COMPLETE,
    READERS,
    UNENDED,
    PastRun,
    committed_run,
    past_runs,
)
from loader.settings import Settings
from loader.storage.changeset import CHANGES
from loader.storage.location import Location
from loader.storage.lock_file import LOCK_FILE, Lock, read_lock
from loader.storage.state_file import CURRENT_FILE, State, read_state
from loader.storage.state_part import part_size
from loader.storage.unfinished import RUNS, Unfinished, unfinished_runs

SHOWN_RUNS = SHOWN_KEYS = 5
RUNNING = "running"
READS = 5  # until no run begins or ends during one
T = TypeVar("T")


@dataclass(frozen=True)
class StateStatus:
    """The committed state; `bytes` are those of its files."""

    serial: int
    run: str
    committed: str
    keys: int
    bytes: int
    adopted: bool


@dataclass(frozen=True)
class LockStatus:
    """A lock, and the seconds since it was renewed, by the clock of the storage."""

    lock: Lock
    age: float

    @property
    def is_held(self) -> bool:
        """Whether its run lives; the next run takes the lock of a dead one."""
        return self.age <= self.lock.seconds


@dataclass(frozen=True)
class UnfinishedStatus:
    """A run that began to write and did not commit: its changes, by what is known of them.

    `other_table` has its table and that of the state, if they are not the same.
    """

    run: str
    written: int
    rejected: int
    not_acknowledged: int
    in_doubt: int
    keys: tuple[str, ...]
    changeset: str
    listed_in: str = ""
    other_table: str = ""


@dataclass(frozen=True)
class Status:
    """The status of one export. `problems` are files that cannot be read.

    `runs` are the newest, and `last` is the last one that was not only planned, however old. All
    of it is of the `known` state.
    """

    export: str
    folder: str
    runs: Sequence[PastRun] = ()
    last: PastRun | None = None
    state: StateStatus | None = None
    lock: LockStatus | None = None
    unfinished: Sequence[UnfinishedStatus] = ()
    problems: Sequence[str] = ()
    page: str = ""
    next_step: str = ""
    next_command: str = ""
    known: State | None = None

    @property
    def in_doubt(self) -> int:
        return sum(run.in_doubt for run in self.unfinished)

    @property
    def is_good(self) -> bool:
        """Whether nothing is in doubt, and the last run has ended well or runs."""
        outcome = self.last.outcome if self.last else COMPLETE
        return not (self.problems or self.in_doubt) and outcome in (COMPLETE, ADOPTED, RUNNING)


def statuses(
    settings: Settings, export: str | None = None, list_doubts: bool = False
) -> list[Status]:
    """The status of each export in the storage, or of one; raises `Refused` if there is none.

    `list_doubts` writes the keys in doubt to a file of their run.
    """
    storage = Location(settings.storage)
    if problem := storage.plain_text_problem(settings.allow_plain_http):
        raise Refused(problem)
    folders = _exports(storage)
    names = [folder.name for folder in folders]
    if export is None and folders:
        return [read_status(settings, folder, list_doubts) for folder in folders]
    if export in names:
        return [read_status(settings, storage / export, list_doubts)]
    whose = "an export" if export is None else f"export {export}"
    choice = f", or one of the exports {', '.join(names)}" if names else ""
    raise Refused(
        f"--storage {storage} must have a run of {whose}, got none: "
        f"give the --storage of its loads{choice}"
    )


def _exports(storage: Location) -> list[Location]:
    folders = [storage / name for name in storage.folders()]
    return [f for f in folders if f.exists(CURRENT_FILE) or RUNS in f.folders()]


def read_status(settings: Settings, folder: Location, list_doubts: bool = False) -> Status:
    """The status of the export of this folder.

    A run that begins or ends meanwhile replaces and removes files: then all are read again.
    """
    now = _activity(folder)
    for _ in range(READS):
        before = now
        try:
            status = _read_status(settings, folder, list_doubts)
        except FileNotFoundError:
            if before == (now := _activity(folder)):
                raise
            continue
        if before == (now := _activity(folder)):
            return status
    problem = (
        f"cannot read the status of export {folder.name}: a run began or ended during each of "
        f"{READS} reads. Run the command again"
    )
    return Status(folder.name, str(folder), problems=[problem])


def _read_status(settings: Settings, folder: Location, list_doubts: bool) -> Status:
    problems: list[str] = []
    state, _ = _known(lambda: read_state(folder), problems) or (None, None)
    # Which runs did not commit is known only with the state.
    unfinished = [] if problems else _known(lambda: unfinished_runs(folder, state), problems) or []
    lock = _known(lambda: _lock(folder), problems)
    running = lock.lock.run if lock and lock.is_held else ""
    ended = [run for run in unfinished if run.run != running]
    if list_doubts:
        for run in ended:
            list_in_doubt(run)
    runs = _runs(folder, running, state, slice(SHOWN_RUNS))
    last = _last(runs) or _last(_runs(folder, running, state, slice(SHOWN_RUNS, None)))
    return Status(
        folder.name,
        str(folder),
        runs,
        last,
        _known(lambda: _state(folder, state), problems) if state and state.serial else None,
        lock,
        [_unfinished(run, state, list_doubts) for run in ended],
        problems,
        f"{folder}/{INDEX_FILE}" if folder.exists(INDEX_FILE) else "",
        *_next(settings, folder.name, last, ended, state),
        state,
    )


def _activity(folder: Location) -> tuple[State | None, str]:
    """What a run changes when it begins, commits or ends: the state, and the run with the lock."""
    state, _ = _known(lambda: read_state(folder), []) or (None, None)
    lock = _known(lambda: read_lock(folder), [])
    return state, lock.run if lock else ""


def _runs(folder: Location, running: str, state: State | None, which: slice) -> list[PastRun]:
    return [_known_run(run, running, state) for run in past_runs(folder, which)]


def _known_run(run: PastRun, running: str, state: State | None) -> PastRun:
    """The run with what the lock and the state say: its own files may not say that it committed."""
    if run.run == running:
        return PastRun(run.run, RUNNING)  # what its folder has is of an earlier apply
    if state and run.run == state.run and run.outcome == UNENDED:
        return committed_run(run.run, state.adopted)
    return run


def _last(runs: Sequence[PastRun]) -> PastRun | None:
    return next((run for run in runs if run.counts), None)


def _next(
    settings: Settings,
    export: str,
    last: PastRun | None,
    unfinished: Sequence[Unfinished],
    state: State | None,
) -> tuple[str, str]:
    """What to do next, and its command; empty if the last run needs nothing."""
    if unfinished and _other_table(unfinished[-1], state):
        return "Load again with", next_command.load_command(settings, export)
    if unfinished:
        return "Continue with", next_command.resume_command(settings, export)
    if last and last.report:
        return last.report["next_step"], last.report["next_command"]
    return (last.next_step, last.next_command) if last else ("", "")


def _known(read: Callable[[], T], problems: list[str]) -> T | None:
    """What a function reads; None if a file is damaged or cannot be read, which is a problem."""
    try:
        return read()
    except Refused as refused:
        problems += refused.problems
    except StorageFailed as error:
        problems.append(str(error))
    return None


def _lock(folder: Location) -> LockStatus | None:
    """The lock; None if no run has it, also if it is removed meanwhile."""
    try:
        lock = read_lock(folder)
        return LockStatus(lock, folder.age(LOCK_FILE)) if lock else None
    except FileNotFoundError:
        return None


def _state(folder: Location, state: State) -> StateStatus:
    with ThreadPoolExecutor(READERS) as readers:
        sizes = list(readers.map(lambda part: part_size(folder, part), state.parts))
    return StateStatus(
        state.serial, state.run, state.committed, state.keys, sum(sizes), state.adopted
    )


def _other_table(run: Unfinished, state: State | None) -> str:
    """The table of the run and that of the state; empty if they are the same or one is unknown."""
    if state is None or not state.serial or not state.identity or not run.begun.identity:
        return ""
    of_run, of_state = TableIdentity(**run.begun.identity), TableIdentity(**state.identity)
    if not identity_problem(of_run, of_state):
        return ""
    return f"{of_run}; the state is of {of_state}"


def _unfinished(run: Unfinished, state: State | None, listed: bool) -> UnfinishedStatus:
    outcomes = run.outcomes.values()
    return UnfinishedStatus(
        run.run,
        written=sum(outcome.acknowledged for outcome in outcomes),
        rejected=sum(outcome.rejected for outcome in outcomes),
        not_acknowledged=sum(n.changes for outcome in outcomes for n in outcome.not_sent),
        in_doubt=changes_in_doubt(run),
        keys=tuple(key_examples(run, SHOWN_KEYS)),
        changeset=f"{run.folder}/{CHANGES}",
        listed_in=f"{run.folder}/{LIST_FILE}" if listed else "",
        other_table=_other_table(run, state),
    )
