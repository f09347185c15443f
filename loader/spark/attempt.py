"""The attempt of a Spark task: each attempt writes files with different names."""

from pyspark import TaskContext


def attempt() -> int:
    """Spark's number of this attempt, unique in a session; 0 outside of a task."""
    context = TaskContext.get()
    return context.taskAttemptId() if context else 0
