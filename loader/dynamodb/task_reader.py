"""The reader of a table in a task."""

from functools import lru_cache

from loader.dynamodb.endpoint import Endpoint
from loader.dynamodb.operations import Operation
from loader.dynamodb.read_rate import Pace
from loader.dynamodb.reader import Reader
from loader.dynamodb.retries import RetryBudget
from loader.dynamodb.sender import Sender


def task_reader(
    job: str,
    operation: Operation,
    endpoint: Endpoint,
    units_per_second: float,
    retry_seconds: float,
) -> Reader:
    """A reader with totals of its own; `job` is the id of the Spark job."""
    transport, retry_budget, pace = _transport(
        job, operation, endpoint, units_per_second, retry_seconds
    )
    return Reader(transport, endpoint.table, retry_budget, pace)


@lru_cache(maxsize=1)
def _transport(
    job: str,
    operation: Operation,
    endpoint: Endpoint,
    units_per_second: float,
    retry_seconds: float,
) -> tuple[Sender, RetryBudget, Pace]:
    """One per worker process and job: the connection and the pace outlive a task."""
    sender = Sender(endpoint, operation=operation)
    return sender, RetryBudget(retry_seconds), Pace(units_per_second)
