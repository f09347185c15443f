"""Which attempt of a Spark task this is: each writes files of its own."""


def attempt() -> int:
    """Spark's number of this attempt, different for all in a session; 0 outside of a task."""
    from pyspark import TaskContext

    context = TaskContext.get()
    return context.taskAttemptId() if context else 0
