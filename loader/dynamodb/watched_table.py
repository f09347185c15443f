"""The description of a table, looked up again while a run uses its capacity."""

import time
from collections.abc import Callable
from math import inf
from typing import TYPE_CHECKING

from loader.dynamodb.description import TableDescription
from loader.dynamodb.table import describe
from loader.errors import Refused

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

# A capacity that falls is followed within 5 seconds; until then requests are throttled.
DESCRIBE_SECONDS = 2.5


class WatchedTable:
    """Call it for a description that is at most `DESCRIBE_SECONDS` old.

    `problems` has why the table could not be described; its last description holds.
    """

    def __init__(
        self,
        dynamodb: "DynamoDBClient",
        description: TableDescription,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._dynamodb, self._description, self._clock = dynamodb, description, clock
        self._described = -inf
        self.problems: list[str] = []

    def __call__(self) -> TableDescription:
        if self._clock() - self._described < DESCRIBE_SECONDS:
            return self._description
        self._described = self._clock()
        try:
            found = describe(self._dynamodb, self._description.name)
            self._description = found or self._description
        except Refused as refused:
            self.problems += [p for p in refused.problems if p not in self.problems]
        return self._description
