"""Whether the model changed during the read; without Spark, for commands that only show a run."""


def source_changed(rows_before: int | None, rows_after: int | None) -> bool:
    """Whether the source changed during the read, as far as two counts can show it."""
    return rows_before != rows_after
