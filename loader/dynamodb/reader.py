"""Sends one read after the other, and retries those that fail: for tasks, without botocore."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from loader.dynamodb.answers import EXPIRED_CREDENTIALS, Answer, FailureKind
from loader.dynamodb.kms_key import kms_remedy
from loader.dynamodb.read_rate import ReadPace
from loader.dynamodb.retries import RetryBudget, full_jitter
from loader.errors import ReadFailed

REMEDIES = {
    "AccessDeniedException": "Grant docs/iam/dynamodb-verify.json, also to the executors",
    "ResourceNotFoundException": "The table has been deleted: create it and load it again",
}
OTHERWISE = "Nothing was written: fix the cause, then run the command again"


class Transport(Protocol):
    """The methods of `Sender` that a reader calls."""

    def send(self, number: int, body: bytes) -> None: ...
    def poll(self, seconds: float | None) -> list[tuple[int, Answer]]: ...
    def renew(self) -> None: ...


@dataclass
class Reader:
    """Reads a table at a pace. `consumed` has the read units; `requests` includes retries."""

    transport: Transport
    table: str
    retry_budget: RetryBudget
    pace: ReadPace
    sleep: Callable[[float], None] = time.sleep
    consumed: float = 0.0
    requests: int = 0
    throttled: int = 0

    def read(self, body: bytes) -> Mapping[str, Any]:
        """The document that answers the request, when the pace allows to send it.

        Raises `ReadFailed` for an error that does not pass, at the end of the retry budget, or if
        the driver that limits the reads is lost.
        """
        retries = 0
        while True:
            with self.retry_budget.paused():
                self._wait()
            self.transport.send(0, body)
            answer = self._answer()
            self.requests += 1
            self.throttled += answer.failure is FailureKind.THROTTLED
            self.consumed += answer.consumed
            self.pace.answered(answer)
            if answer.failure is None:
                self.retry_budget.succeeded()
                return answer.document
            if answer.failure is FailureKind.PERMANENT:
                raise self._failed(answer)
            if self.retry_budget.failed():
                raise self._failed(answer, f" for {self.retry_budget.seconds:g} s")
            if answer.error in EXPIRED_CREDENTIALS:
                self.transport.renew()
            retries += 1
            self.sleep(full_jitter(retries))

    def _wait(self) -> None:
        """Wait for the units of a read; raises `ReadFailed` if there will be none."""
        while True:
            if stopped := self.pace.stopped():
                raise ReadFailed(
                    f"cannot read the items of table {self.table}: {stopped}. {OTHERWISE}"
                )
            if not (seconds := self.pace.wait()):
                return
            self.sleep(seconds)

    def _answer(self) -> Answer:
        while not (answers := self.transport.poll(None)):
            pass
        return answers[0][1]

    def _failed(self, answer: Answer, duration: str = "") -> ReadFailed:
        remedy = kms_remedy(answer.cause) or REMEDIES.get(answer.error, OTHERWISE)
        return ReadFailed(
            f"cannot read the items of table {self.table}{duration}: {answer.cause}. {remedy}"
        )
