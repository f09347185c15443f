"""A case: a command, and the results it must have."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.sink import Contents, Sink
from benchmarks.usage import Usage

COMPLETE, INCOMPLETE = 0, 1


def keep(sink: Sink) -> None:
    """Leave the table as the case before has written it."""


@dataclass(frozen=True)
class Case:
    """A command, the rows it reads, the changes the sink must receive, and the expected exit code.

    `run` and `prepare` get the folder of this run; `prepare`, `finish` and `table`, which puts the
    sink's table in order, are not measured. `contents` are those of the table after the run, None
    if they are not compared. `state` is the folder of an export whose state is measured.
    """

    name: str
    rows: int
    items: int
    run: Callable[[Path], Usage]
    code: int = COMPLETE
    prepare: Callable[[Path], None] = lambda folder: None
    finish: Callable[[], None] = lambda: None
    table: Callable[[Sink], None] = Sink.clear
    contents: Callable[[], Contents] | None = None
    state: Path | None = None
