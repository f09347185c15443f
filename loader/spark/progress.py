"""Progress of a step: a bar on a terminal, a few plain lines elsewhere."""

import os
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TextIO

from py4j.protocol import Py4JError
from pyspark.sql import SparkSession

from loader import interruption
from loader.background import in_background
from loader.printable import printable
from loader.spark.stall import Stalled, StallWatch, known_stages

POLL_SECONDS = 0.5


@contextmanager
def watched(
    spark: SparkSession, stall: StallWatch, step: str, show: Callable[[int], None]
) -> Iterator[None]:
    """Name the jobs of the block, in the Spark UI too, and show how many tasks are done.

    Cancels the jobs and raises `Stalled` if they make no progress.
    """
    context, group = spark.sparkContext, stall.group
    context.setJobGroup(group, step)
    done = threading.Event()
    tracker = context.statusTracker()
    stalled: list[Stalled] = []

    def poll() -> None:
        while not done.wait(POLL_SECONDS):
            try:
                tasks = sum(stage.numCompletedTasks for stage in known_stages(tracker, group))
                if problem := stall.check():
                    stalled.append(problem)
                    context.cancelJobGroup(group)
                    return
            except (Py4JError, OSError):
                return  # the JVM ended: the watched job fails and reports it
            show(tasks)

    thread = threading.Thread(target=poll, daemon=True)
    thread.start()
    try:
        yield
    except BaseException as error:
        interruption.check()
        if isinstance(error, KeyboardInterrupt):
            # This thread's connection to the JVM still waits for the job.
            in_background(lambda: context.cancelJobGroup(group))
        elif stalled:
            raise stalled[0] from error
        raise
    finally:
        done.set()
        thread.join()


WIDTH = 32
# A shorter bar shows nothing.
LEAST_WIDTH = 8
COLUMNS = 80
LINE_SECONDS = 60.0


@dataclass
class Step:
    """One step of a run on standard error.

    Without a terminal it prints one line at the start, one at the end and at most one per minute.
    """

    name: str
    total: int
    unit: str
    stream: TextIO = field(default_factory=lambda: sys.stderr)
    started: float = field(default_factory=time.monotonic)
    last_line: float = 0.0
    # They only shrink, so that the line does not jump when a number gets longer or shorter.
    _bar: int = field(default=WIDTH, init=False)
    _dropped: int = field(default=0, init=False)
    _warned: set[str] = field(default_factory=set, init=False)

    def __post_init__(self) -> None:
        self.last_line = self.started
        if not self.stream.isatty():
            self._line(f"{self.name:<6} started: {self.total:,} {self.unit}")

    def show(self, done: int, facts: Sequence[str] = ()) -> None:
        """Redraw the bar; without a terminal print a line once per minute.

        `facts` are versions of the same facts, the longest first; a narrow terminal shows a
        shorter one.
        """
        done = min(done, self.total)
        count = f"{done:,}/{self.total:,} {self.unit}"
        texts = [" · ".join(filter(None, (count, fact))) for fact in facts or ("",)]
        if self.stream.isatty():
            self.stream.write(f"\r{self._fitting(done, texts)}\x1b[K")
            self.stream.flush()
        elif time.monotonic() - self.last_line >= LINE_SECONDS:
            self.last_line = time.monotonic()
            self._line(f"{self.name:<6} {texts[0]}")

    def warn(self, problem: str) -> None:
        """Print a problem in a line of its own, above the bar; the same problem only once."""
        if problem in self._warned:
            return
        self._warned.add(problem)
        text = f"warning: {printable(problem)}"
        self._line(f"\r{text}\x1b[K" if self.stream.isatty() else text)

    def end(self, done: int, facts: str) -> None:
        """Print the last line, with the facts of the step."""
        text = f"{done:,}/{self.total:,} {self.unit} · {facts}"
        if not self.stream.isatty():
            self._line(f"{self.name:<6} {text}")
            return
        bar = self._drawn(done, self._width(text)) if done == self.total else ""
        self._line(f"\r{self.name:<6} {bar}{text}\x1b[K")

    def broken(self) -> None:
        """Leave the bar as it is and start a new line."""
        if self.stream.isatty():
            self._line("")

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.started

    def _fitting(self, done: int, texts: Sequence[str]) -> str:
        """The line with the longest text that fits, and as much of the bar as then does."""
        most = _columns(self.stream) - 1 - len(f"{self.name:<6} ")
        while self._dropped < len(texts) - 1 and len(texts[self._dropped]) > most:
            self._dropped += 1
        text = texts[min(self._dropped, len(texts) - 1)]
        self._bar = min(self._bar, self._width(text))
        return f"{self.name:<6} {self._drawn(done, self._bar)}{text[:most]}"

    def _width(self, text: str) -> int:
        """The width of a bar beside this text; 0 if there is no room for one."""
        room = _columns(self.stream) - 1 - len(f"{self.name:<6}   {text}")
        return min(WIDTH, room) if room >= LEAST_WIDTH else 0

    def _drawn(self, done: int, width: int) -> str:
        if not width:
            return ""
        filled = width * done // self.total if self.total else width
        return "━" * filled + ("╸" if filled < width else "") + " " * (width - filled - 1) + "  "

    def _line(self, line: str) -> None:
        self.stream.write(line + "\n")
        self.stream.flush()


def _columns(stream: TextIO) -> int:
    """The width of the terminal; a terminal that does not know it has 80 columns."""
    try:
        return os.get_terminal_size(stream.fileno()).columns or COLUMNS
    except OSError:
        return COLUMNS
