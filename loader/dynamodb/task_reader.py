"""The reader of a table in a task."""

from functools import lru_cache

from loader.dynamodb.endpoint import Endpoint
from loader.dynamodb.operations import Operation
from loader.dynamodb.read_rate import ReadPace
from loader.dynamodb.reader import Reader
from loader.dynamodb.retries import RetryBudget
from loader.dynamodb.sender import Sender
from loader.pace.client import Address, pace_client
from loader.pace.report import TABLE


def task_reader(
    job: str, operation: Operation, endpoint: Endpoint, pace: Address | None, retry_seconds: float
) -> Reader:
    """A reader with totals of its own; `job` is the id of the Spark job.

    `pace` is the address of the broker that limits the reads; None: there is no limit.
    """
    transport, retry_budget = _transport(job, operation, endpoint, retry_seconds)
    shared = ReadPace(pace_client(pace, job), pace.share[TABLE]) if pace else ReadPace()
    return Reader(transport, endpoint.table, retry_budget, shared)


@lru_cache(maxsize=1)
def _transport(
    job: str, operation: Operation, endpoint: Endpoint, retry_seconds: float
) -> tuple[Sender, RetryBudget]:
    """One per worker process and job: the connection outlives a task."""
    return Sender(endpoint, operation=operation), RetryBudget(retry_seconds)
