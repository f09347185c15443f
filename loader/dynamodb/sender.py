"""Sends requests of one operation: signed here, over keep-alive connections, without boto3.

boto3's layers cost more than ten times the CPU of signing and sending a JSON body that is ready
(docs/decisions/0003). Credentials are still found, refreshed and frozen by botocore.
"""

import http.client
import selectors
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from loader import tls
from loader.aws import RenewableCredentials
from loader.dynamodb.answers import Answer, FailureKind, read_answer
from loader.dynamodb.connection import Connection
from loader.dynamodb.endpoint import Endpoint, first_lines, host_header
from loader.dynamodb.operations import BATCH_WRITE_ITEM, Operation
from loader.dynamodb.signing import Credentials, Signer

# From the end of a request to the beginning of its answer.
ANSWER_SECONDS = 10


class Sender:
    """Sends requests over numbered connections, each with at most one request in flight.

    A connection is opened by its first request. One thread serves all of them: threads that wait
    for their turn in Python cost a quarter of the CPU of a write (docs/decisions/0003).
    """

    def __init__(
        self,
        endpoint: Endpoint,
        clock: Callable[[], float] = time.monotonic,
        operation: Operation = BATCH_WRITE_ITEM,
    ) -> None:
        self._credentials = RenewableCredentials.find(endpoint.region, endpoint.role)
        self._endpoint, self._clock, self._operation = endpoint, clock, operation
        self._url = urlsplit(endpoint.url)
        self._tls = tls.context() if self._url.scheme == "https" else None
        self._first_lines = first_lines(self._url, endpoint.proxy)
        self._signer: tuple[Any, Signer] | None = None  # the credentials, and their signer
        self._connections: dict[int, Connection] = {}
        self._selector = selectors.DefaultSelector()
        self._due: dict[int, float] = {}  # the requests in flight, the oldest first
        self._failed: list[tuple[int, Answer]] = []  # answers known without polling
        self._unreachable: OSError | None = None

    def renew(self) -> None:
        """Search for credentials again, after DynamoDB answered that they have expired."""
        self._credentials.renew()

    def send(self, number: int, body: bytes) -> None:
        """Send a request over connection `number`; `poll` returns its failure, if it fails."""
        if number not in self._connections:
            self._connections[number] = Connection(self._url, self._tls, self._endpoint.proxy)
        connection = self._connections[number]
        try:
            if not connection.is_open:
                self._open(number)
            head = f"{self._first_lines}{self._signed(body)}content-length: {len(body)}\r\n\r\n"
            connection.send(head.encode("latin-1") + body)
            self._due[number] = self._clock() + ANSWER_SECONDS
        except (OSError, http.client.HTTPException) as error:
            self._failed.append((number, self._lost(number, error)))

    def poll(self, seconds: float | None) -> list[tuple[int, Answer]]:
        """The answers that have come, by connection; waits at most `seconds` for the first."""
        answers, self._failed = self._failed, []
        self._unreachable = None
        if answers:
            seconds = 0
        elif self._due:
            first = max(0.0, next(iter(self._due.values())) - self._clock())
            seconds = first if seconds is None else min(first, seconds)
        for key, _ in self._selector.select(seconds):
            if key.data in self._due:
                answers.append((key.data, self._answer(key.data)))
            else:  # the server closes an idle connection
                self._close(key.data)
        now = self._clock()
        for number in [number for number, due in self._due.items() if due <= now]:
            answers.append((number, self._lost(number, TimeoutError("timed out"))))
        return answers

    def reset(self) -> None:
        """Drop the requests in flight, so that no answer is taken for that of a later request."""
        for number in self._due:
            self._close(number)
        self._due.clear()
        self._failed.clear()
        self._unreachable = None

    def _open(self, number: int) -> None:
        """Connect. After an OSError all connections fail with it until the next `poll`.

        Otherwise each connection would wait for a host that drops packets.
        """
        if self._unreachable:
            raise self._unreachable
        try:
            self._connections[number].open()
        except OSError as error:
            self._unreachable = error
            raise
        self._selector.register(self._connections[number], selectors.EVENT_READ, number)

    def _answer(self, number: int) -> Answer:
        connection = self._connections[number]
        try:
            answer = read_answer(*connection.receive(), self._operation)
        except (OSError, http.client.HTTPException) as error:
            return self._lost(number, error)
        del self._due[number]
        if not connection.is_open:
            self._selector.unregister(connection)
        return answer

    def _lost(self, number: int, error: Exception) -> Answer:
        """Close the connection; the request may have been served or not."""
        self._close(number)
        self._due.pop(number, None)
        cause = f"{self._endpoint}: {error or type(error).__name__}"
        return Answer(failure=FailureKind.TRANSIENT, error=type(error).__name__, cause=cause)

    def _close(self, number: int) -> None:
        connection = self._connections[number]
        if connection.is_open:
            self._selector.unregister(connection)
        connection.close()

    def _signed(self, body: bytes) -> str:
        # Temporary credentials refresh themselves here when they are due.
        frozen = self._credentials.get_frozen_credentials()
        if self._signer is None or self._signer[0] != frozen:
            credentials = Credentials(frozen.access_key, frozen.secret_key, frozen.token)
            host, path = host_header(self._url), self._url.path
            name = self._operation.name
            signer = Signer(credentials, self._endpoint.region, host, path, name)
            self._signer = (frozen, signer)
        return self._signer[1].headers(body)
