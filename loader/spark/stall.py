"""Whether the tasks of a Spark job still make progress."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from py4j.protocol import Py4JJavaError

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

# Executors report the rows of a running task this often: spark.executor.heartbeatInterval.
REPORT_SECONDS = 10.0
MOST_TASKS = 1_000


class Stalled(Exception):
    """Nothing has happened for too long; `tasks` are the numbers of those that run."""

    def __init__(self, message: str, tasks: list[int]) -> None:
        super().__init__(message)
        self.tasks = tasks


@dataclass(frozen=True)
class Activity:
    """What the tasks of a job have done; `figures` has everything that changes with progress."""

    figures: tuple[object, ...]
    stage: int | None
    tasks: list[int]
    rows: int

    def stalled(self, seconds: float) -> Stalled:
        """Say where and why nothing happens."""
        for_minutes = f"no progress for {seconds / 60:g} min (--stall-minutes)"
        stage = "" if self.stage is None else f" of stage {self.stage}"
        if not self.tasks:
            cause = (
                f"no executor runs a task{stage}: see spark.log and the cluster's free resources"
            )
        else:
            number = f"{len(self.tasks):,} task{'s' if len(self.tasks) > 1 else ''}{stage}"
            rows = f"after {self.rows:,} rows" if self.rows else "for its first row"
            cause = f"the job waits in {number} {rows}"
        return Stalled(f"{for_minutes}: {cause}", self.tasks)


@dataclass
class StallWatch:
    """Call `check` again and again: it returns `Stalled` when nothing changed for `seconds`.

    `limited_tasks` end by themselves if they make no progress, so only their start is watched.
    """

    spark: SparkSession
    group: str
    seconds: float
    limited_tasks: bool = False
    _figures: tuple[object, ...] = field(default=(), init=False)
    _changed: float = field(default_factory=time.monotonic, init=False)
    _checked: float = field(default=0.0, init=False)

    def check(self) -> Stalled | None:
        now = time.monotonic()
        if now - self._checked < min(REPORT_SECONDS, self.seconds / 4):
            return None
        self._checked = now
        current = activity(self.spark, self.group)
        if current.figures != self._figures or (self.limited_tasks and current.tasks):
            self._figures, self._changed = current.figures, now
        return current.stalled(self.seconds) if now - self._changed >= self.seconds else None


def known_stages(tracker: Any, group: str) -> Iterator[Any]:
    """Spark's facts about each stage of a group's jobs, without those that it has forgotten."""
    for job in tracker.getJobIdsForGroup(group):
        known = tracker.getJobInfo(job)
        stages = map(tracker.getStageInfo, known.stageIds if known else ())
        yield from filter(None, stages)


def activity(spark: SparkSession, group: str) -> Activity:
    """The activity of the jobs of a group, from Spark's own status, local or on a cluster."""
    context: Any = spark.sparkContext
    tracker, store = context.statusTracker(), context._jsc.sc().statusStore()
    figures: list[object] = []
    stage, tasks, rows = None, [], 0
    for info in known_stages(tracker, group):
        number = info.stageId
        try:
            data = store.lastStageAttempt(number)
        except Py4JJavaError:  # Spark has not entered the stage yet
            continue
        rows += data.inputRecords()
        figures += [number, data.attemptId(), info.numCompletedTasks, info.numFailedTasks]
        if info.numCompletedTasks < info.numTasks:
            stage = number
            running = _running(store, number, data.attemptId())
            tasks += [index for index, _ in running]
            figures += running
    # Rows on their way to Python workers are in the metrics of the query only.
    executions: Any = spark._jsparkSession.sharedState().statusStore()
    # A session that has run many queries has forgotten the first ones.
    newest = executions.executionsList(max(0, executions.executionsCount() - 1), 1)
    metrics = ""
    if not newest.isEmpty():
        metrics = str(executions.executionMetrics(newest.head().executionId()).toString())
    return Activity((*figures, rows, metrics), stage, tasks, rows)


def _running(store: Any, stage: int, attempt: int) -> list[tuple[int, int]]:
    """Number and attempt of the tasks that run."""
    tasks = store.taskList(stage, attempt, MOST_TASKS)
    data = (tasks.apply(number) for number in range(tasks.size()))
    return [(task.index(), task.attempt()) for task in data if task.status() == "RUNNING"]
