"""The edge to DynamoDB: describe and create by boto3; the hot path signs and sends ready bytes.

boto3's high-level layers cost more than ten times the CPU of signing and sending a ready JSON body
(docs/performance.md), so BatchWriteItem has a signer and a connection of its own. Credentials are
botocore's: found, refreshed and frozen as everywhere in AWS.
"""

import http.client
import selectors
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from loader import aws
from loader.dynamodb.answers import Answer, FailureKind, read_answer
from loader.dynamodb.connection import Connection
from loader.dynamodb.credentials import RenewableCredentials
from loader.dynamodb.endpoint import Endpoint, host_header
from loader.dynamodb.signing import Credentials, Signer

# From the end of a request to the beginning of its answer.
ANSWER_SECONDS = 10


class Sender:
    """Signs and sends BatchWriteItem bodies, one in flight on each of its lanes.

    A lane is a keep-alive connection, opened by its first request. All of them are one thread's:
    threads that wait for each other's turn in Python cost a quarter of the CPU of a write
    (docs/performance.md).
    """

    def __init__(self, endpoint: Endpoint, clock: Callable[[], float] = time.monotonic) -> None:
        # None where AWS's chain of sources has none; the answers then say so.
        self._credentials: Any = RenewableCredentials.find()
        self._endpoint, self._clock = endpoint, clock
        self._parts = urlsplit(endpoint.url)
        self._tls = aws.tls_context() if self._parts.scheme == "https" else None
        self._signer: tuple[Any, Signer] | None = None
        self._lanes: dict[int, Connection] = {}
        self._selector = selectors.DefaultSelector()
        self._due: dict[int, float] = {}  # of the lanes with a request in flight, the oldest first
        self._known: list[tuple[int, Answer]] = []
        self._unreachable: OSError | None = None

    def renew(self) -> None:
        """Look the credentials up again: DynamoDB says that they have expired."""
        if self._credentials is not None:
            self._credentials.renew()

    def send(self, lane: int, body: bytes) -> None:
        """Send a request; never raises for what the network does, the answer will say it."""
        if self._credentials is None:
            cause = "AWS credentials must be set, got none"
            answer = Answer(failure=FailureKind.PERMANENT, error="NoCredentials", cause=cause)
            self._known.append((lane, answer))
            return
        if lane not in self._lanes:
            self._lanes[lane] = Connection(self._parts, self._tls)
        connection = self._lanes[lane]
        try:
            if not connection.is_open:
                self._open(lane)
            head = f"POST / HTTP/1.1\r\n{self._signed(body)}content-length: {len(body)}\r\n\r\n"
            connection.send(head.encode("latin-1") + body)
            self._due[lane] = self._clock() + ANSWER_SECONDS
        except (OSError, http.client.HTTPException) as error:
            self._known.append((lane, self._lost(lane, error)))

    def poll(self, seconds: float | None) -> list[tuple[int, Answer]]:
        """The answers that are there, by lane; waits for the first, at most so many seconds."""
        answers, self._known = self._known, []
        self._unreachable = None
        if answers:
            seconds = 0
        elif self._due:
            first = max(0.0, next(iter(self._due.values())) - self._clock())
            seconds = first if seconds is None else min(first, seconds)
        for key, _ in self._selector.select(seconds):
            if key.data in self._due:
                answers.append((key.data, self._answer(key.data)))
            else:  # the server closes what it was not asked on
                self._close(key.data)
        now = self._clock()
        for lane in [lane for lane, due in self._due.items() if due <= now]:
            answers.append((lane, self._lost(lane, TimeoutError("timed out"))))
        return answers

    def reset(self) -> None:
        """Forget the requests in flight: their answers must not be taken for those of others."""
        for lane in self._due:
            self._close(lane)
        self._due.clear()
        self._known.clear()
        self._unreachable = None

    def _open(self, lane: int) -> None:
        """Connect; raises OSError, the same for all lanes that would until `landed` is asked.

        A host that swallows connections would else be waited for by one lane after the other.
        """
        if self._unreachable:
            raise self._unreachable
        try:
            self._lanes[lane].open()
        except OSError as error:
            self._unreachable = error
            raise
        self._selector.register(self._lanes[lane], selectors.EVENT_READ, lane)

    def _answer(self, lane: int) -> Answer:
        connection = self._lanes[lane]
        try:
            answer = read_answer(*connection.receive())
        except (OSError, http.client.HTTPException) as error:
            return self._lost(lane, error)
        del self._due[lane]
        if not connection.is_open:
            self._selector.unregister(connection)
        return answer

    def _lost(self, lane: int, error: Exception) -> Answer:
        """Whether the request was served is not known: the lane connects again for the next."""
        self._close(lane)
        self._due.pop(lane, None)
        cause = f"{self._endpoint.url}: {error or type(error).__name__}"
        return Answer(failure=FailureKind.TRANSIENT, error=type(error).__name__, cause=cause)

    def _close(self, lane: int) -> None:
        connection = self._lanes[lane]
        if connection.is_open:
            self._selector.unregister(connection)
        connection.close()

    def _signed(self, body: bytes) -> str:
        # Frozen now: refreshable credentials renew themselves here when they are due.
        frozen = self._credentials.get_frozen_credentials()
        known = self._signer
        if known is None or known[0] != frozen:
            credentials = Credentials(frozen.access_key, frozen.secret_key, frozen.token)
            signer = Signer(credentials, self._endpoint.region, host_header(self._parts))
            known = self._signer = (frozen, signer)
        return known[1].headers(body)
