"""The record of a run that ended before its first write: why, and the command that goes on."""

import json
from dataclasses import asdict, dataclass

from loader.errors import StorageFailed
from loader.storage.location import Location

NOT_WRITTEN = "not_written.json"  # in the folder of the run
PLAN_ONLY = "plan_only"  # in the folder of a run of `loader plan`, from its start


@dataclass(frozen=True)
class NotWritten:
    """`refused`: the run found a problem, such as a broken guard; otherwise it failed."""

    refused: bool
    problems: list[str]
    next_step: str
    next_command: str


def save_not_written(run: Location, record: NotWritten) -> None:
    """Create or replace the record in the folder of a run; raises `StorageFailed`."""
    run.write(NOT_WRITTEN, json.dumps(asdict(record), indent=1).encode())


def read_not_written(run: Location) -> NotWritten:
    """The record of a run; raises `StorageFailed` or, if it is damaged, `ValueError`."""
    try:
        record = NotWritten(**json.loads(run.read(NOT_WRITTEN)))
    except StorageFailed:
        raise
    except (ValueError, TypeError, RecursionError):
        raise ValueError("is damaged: it is not a record of this version") from None
    texts = [*record.problems, record.next_step, record.next_command]
    if not record.problems or not all(isinstance(text, str) for text in texts):
        raise ValueError("is damaged: it is not a record of this version")
    return record
