"""A table that answers with a script, and the changes that are written to it."""

import itertools
import json
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from loader.apply.writer import Pace, SliceWriter
from loader.dynamodb.answers import Answer, FailureKind
from loader.dynamodb.batches import Change
from loader.dynamodb.retries import RetryBudget
from loader.items.digest import digest
from loader.storage.location import Location
from loader.storage.rejects import Rejects
from loader.storage.slice_outcome import SliceOutcome

OK = Answer(consumed=1.0)
THROTTLED = Answer(failure=FailureKind.THROTTLED, error="ThrottlingException", cause="slow down")
TRANSIENT = Answer(failure=FailureKind.TRANSIENT, error="HTTP 500", cause="HTTP 500: oops")
DENIED = Answer(failure=FailureKind.PERMANENT, error="AccessDeniedException", cause="not you")
INVALID = Answer(
    failure=FailureKind.PERMANENT,
    error="ValidationException",
    cause="ValidationException: bad value",
)


def change(number: int, partition: int = 0) -> Change:
    key = f'"k":{{"N":"{number}"}}'
    return Change(key, f'{{"PutRequest":{{"Item":{{{key},"v":{{"S":"x"}}}}}}}}', partition)


def entry(number: int) -> dict[str, Any]:
    return {"PutRequest": {"Item": {"k": {"N": str(number)}, "v": {"S": "x"}}}}


def numbers(body: bytes) -> list[int]:
    requests = json.loads(body)["RequestItems"]["items"]
    return [int(request["PutRequest"]["Item"]["k"]["N"]) for request in requests]


class Table:
    """A transport that answers with the script, then OK; keeps the numbers of each request."""

    def __init__(self, script: Iterable[Answer | Callable[[list[int]], Answer]] = ()) -> None:
        self.script = itertools.chain(script, itertools.repeat(OK))
        self.requests: list[list[int]] = []
        self.most_in_flight = 0
        self.sleeps: list[float] = []
        self.now = 0.0
        self.answers: list[tuple[int, Answer]] = []
        self.listed: list[tuple[str, int, str, str]] = []
        self.renewals = 0

    def send(self, number: int, body: bytes) -> None:
        assert number not in dict(self.answers)
        self.requests.append(numbers(body))
        scripted = next(self.script)
        answer = scripted if isinstance(scripted, Answer) else scripted(self.requests[-1])
        self.answers.append((number, answer))
        self.most_in_flight = max(self.most_in_flight, len(self.answers))

    def poll(self, seconds: float | None) -> list[tuple[int, Answer]]:
        """The oldest answer; if there is none, `now` advances by the seconds."""
        if not self.answers:
            assert seconds is not None
            self.sleeps.append(seconds)
            self.now += seconds + 1e-9
            return []
        return [self.answers.pop(0)]

    def renew(self) -> None:
        self.renewals += 1

    def reset(self) -> None:
        self.answers.clear()

    def write(
        self,
        changes: Iterable[Change],
        seconds: float = 3,
        requests: int = 1,
        number: int = 7,
        pace: Pace | None = None,
        retry_budget: RetryBudget | None = None,
    ) -> SliceOutcome:
        """Write, and read the list of rejects.

        Each call of a clock advances it: the default retry budget's by a second, the writer's by
        half.
        """
        ticks, halves = itertools.count(), itertools.count()
        retry_budget = retry_budget or RetryBudget(seconds, clock=lambda: float(next(ticks)))
        with tempfile.TemporaryDirectory() as folder:
            with Rejects(Location(folder), "run", "export").shard("part") as rejects:
                writer = SliceWriter(
                    self, "items", retry_budget, requests, rejects, SliceOutcome(number),
                    pace=pace, clock=lambda: 100.0 + next(halves) / 2, timer=lambda: self.now,
                )  # fmt: skip
                outcome = writer.write(changes)
            if rejects.file:
                text = Path(folder, "rejects", rejects.file).read_text()
                self.listed = [listed(json.loads(line)) for line in text.splitlines()]
        return outcome


def listed(line: dict[str, Any]) -> tuple[str, int, str, str]:
    """Kind, partition, number of the key and reason of a line of rejects; checks its item."""
    number = line["key"]["k"]["N"]
    if line["kind"] == "rejected":
        assert line["item"] == entry(int(number))["PutRequest"]["Item"]
    else:
        assert line["item_digest"] == digest(f'"k":{{"N":"{number}"}},"v":{{"S":"x"}}').hex()
    return line["kind"], line["partition"], number, line["reason"]


def left(*returned: int) -> Answer:
    return Answer(consumed=0.5, unprocessed=tuple(entry(number) for number in returned))
