"""Remove what no later run needs, after a commit."""

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import PurePosixPath

from loader.errors import LoaderError
from loader.storage.changeset import CHANGES
from loader.storage.location import Location
from loader.storage.rejects import REJECT_SHARDS
from loader.storage.slice_outcome import APPLIED
from loader.storage.state_file import State, read_state
from loader.storage.state_part import STATE_PARTS
from loader.storage.unfinished import PLAN_FILE, RUNS

KEPT_FILE = "kept"  # in the folder of a run with --keep
VERIFY = "verify"  # folder of the files of verifications, in the folder of an export
# The name of a run, which is its start (run.run_id): names and runs have the same order.
RUN = re.compile(r"\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d-\d{3}Z-[0-9a-f]{4}")


def prune(folder: Location, state: State, keep_runs: int, keep: bool = False) -> None:
    """Remove old runs of an export, and the changesets and states that its state has replaced.

    The newest `keep_runs` stay, and those that the state needs; a run that is newer than the state
    is not touched. `keep` keeps the changeset of the committed run as long as its folder. A
    verification that was killed has left files; they go with the runs of its time. If the state in
    the folder is not the given one, nothing is removed. A failure is a warning.
    """
    with _warnings():
        current = read_state(folder)[0]
        if current is None or (current.serial, current.run) != (state.serial, state.run):
            return
        if keep:
            (folder / RUNS / state.run).write(KEPT_FILE, b"")
        names = [name for name in (folder / RUNS).folders() if RUN.fullmatch(name)]
        runs = [name for name in names if name <= state.run]
        needed = {state.run, *_runs_of(state)}
        first_kept = max(0, len(runs) - keep_runs)
        old = [name for name in runs[:first_kept] if name not in needed]
        verifications = folder / VERIFY
        for name in verifications.folders():
            with _warnings():
                if RUN.fullmatch(name) and name < min(runs[first_kept:], default=""):
                    (verifications / name).delete()
        for name in runs:
            with _warnings():
                if name in old:
                    (folder / RUNS / name).delete()
                else:
                    _prune_run(folder, name, state)


def _prune_run(folder: Location, name: str, state: State) -> None:
    """Remove a run's changeset unless it is kept, and the parts of its state that are not used.

    A plan that was never applied stays: `loader apply` says why it is too late.
    """
    run = folder / RUNS / name
    folders = {CHANGES, APPLIED, REJECT_SHARDS, STATE_PARTS}.intersection(run.folders())
    never_applied = CHANGES in folders and APPLIED not in folders and name != state.run
    # Without its plan, a run was killed during the plan, or goes on.
    if not folders or never_applied or not run.exists(PLAN_FILE):
        return
    used = {part.file for part in state.parts}
    if STATE_PARTS in folders:
        states = run / STATE_PARTS
        files = states.files()
        unused = [file for file in files if f"{RUNS}/{name}/{STATE_PARTS}/{file}" not in used]
        if len(unused) == len(files):
            states.delete()
        for file in unused if len(unused) < len(files) else ():
            states.remove(file)
    if not run.exists(KEPT_FILE):
        for subfolder in sorted(folders - {STATE_PARTS}):
            (run / subfolder).delete()


def _runs_of(state: State) -> Iterator[str]:
    """The runs whose folders have a part of the state."""
    for part in state.parts:
        folders = PurePosixPath(part.file).parts
        if folders[0] == RUNS:
            yield folders[1]


@contextmanager
def _warnings() -> Iterator[None]:
    """Print a failure of the storage: the run itself is committed."""
    try:
        yield
    except LoaderError as remains:
        print(f"warning: the run is committed, but {remains}", file=sys.stderr)
