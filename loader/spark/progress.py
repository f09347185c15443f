"""Progress of a step: a bar on a terminal, a few plain lines elsewhere."""

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TextIO

from py4j.protocol import Py4JError
from pyspark.sql import SparkSession

from loader import interruption
from loader.background import in_background
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

    def __post_init__(self) -> None:
        self.last_line = self.started
        if not self.stream.isatty():
            self._line(f"{self.name:<6} started: {self.total:,} {self.unit}")

    def show(self, done: int) -> None:
        """Redraw the bar; without a terminal print a line once per minute."""
        done = min(done, self.total)
        if self.stream.isatty():
            filled = WIDTH * done // self.total if self.total else WIDTH
            bar = "━" * filled + ("╸" if filled < WIDTH else "") + " " * (WIDTH - filled - 1)
            self.stream.write(f"\r{self.name:<6} {bar}  {done:,}/{self.total:,} {self.unit}\x1b[K")
            self.stream.flush()
        elif time.monotonic() - self.last_line >= LINE_SECONDS:
            self.last_line = time.monotonic()
            self._line(f"{self.name:<6} {done:,}/{self.total:,} {self.unit}")

    def end(self, done: int, facts: str) -> None:
        """Print the last line, with the facts of the step."""
        bar = f"{'━' * WIDTH}  " if self.stream.isatty() and done == self.total else ""
        start = "\r" if self.stream.isatty() else ""
        finish = "\x1b[K" if self.stream.isatty() else ""
        line = f"{self.name:<6} {bar}{done:,}/{self.total:,} {self.unit} · {facts}"
        self._line(f"{start}{line}{finish}")

    def broken(self) -> None:
        """Leave the bar as it is and start a new line."""
        if self.stream.isatty():
            self._line("")

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.started

    def _line(self, line: str) -> None:
        self.stream.write(line + "\n")
        self.stream.flush()
