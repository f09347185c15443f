"""Find the end of each result in the server's responses, without reading every row.

A result of ten million rows has ten million messages, and reading all of them in Python would take
longer than PostgreSQL needs to produce them. So only the first messages of a response are read one
by one. After that only the end of the received bytes is checked: the server sends nothing after
ReadyForQuery, so this message is at the end. Its six bytes can also occur in the data ('…Z', the
length 5 and 'I…' are three columns of text), so they count only if the messages between the end of
the result and them follow one another without a gap.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from sandbox.redshift.protocol import error_text

FOLLOWED_BYTES = 64 * 1024  # of one response, read message by message
TAIL_BYTES = 32 * 1024  # kept of a longer response: enough for the longest error message

_READY = re.compile(rb"Z\0\0\0\x05[ITE]\Z")
# A result ends with CommandComplete, ErrorResponse, PortalSuspended
_END_OF_RESULT = re.compile(rb"C\0\0..[A-Z][A-Z ]*[0-9 ]*\0|E\0...S[A-Z]+\0|s\0\0\0\x04", re.DOTALL)
_AFTER_RESULT = b"CEs123nNSAZ"  # messages between the end of a result and ReadyForQuery
_KEPT = b"CEsIZ"
_ROWS = b"Dd"  # DataRow, CopyData
_HEADER_BYTES = 5


@dataclass(frozen=True)
class Event:
    """`completed`, `failed` or `suspended` for one execution, `ready` for a whole request."""

    kind: str
    error: str | None = None
    in_transaction: bool = False


class ResponseReader:
    """Reads everything that the server sends, and returns which executions ended.

    If a client sends a second request before the response to the first, and the result has more
    than FOLLOWED_BYTES, the first ends only with the second. No driver of Redshift does this.
    """

    def __init__(self) -> None:
        self._unread = bytearray()  # the start of a message
        self._skip = 0  # bytes of the message that have not arrived
        self._kind = 0  # type of the last message that was started
        self._followed = 0
        self._tail: bytearray | None = None

    def feed(self, chunk: memoryview) -> list[Event]:
        if self._tail is None:
            events = self._follow(chunk)
            if self._followed > FOLLOWED_BYTES and self._kind in _ROWS:
                self._tail = bytearray()
            return events
        self._tail += chunk[-TAIL_BYTES:]
        if len(self._tail) > 2 * TAIL_BYTES:
            del self._tail[:-TAIL_BYTES]
        if not _READY.search(self._tail, max(0, len(self._tail) - 6)):
            return []
        return self._end_of_long_response(bytes(self._tail))

    def _follow(self, chunk: memoryview) -> list[Event]:
        events: list[Event] = []
        self._followed += len(chunk)
        skipped = min(self._skip, len(chunk))
        self._skip -= skipped
        self._unread += chunk[skipped:]
        at, data = 0, self._unread
        while at < len(data):
            self._kind = data[at]
            end = at + 1 + int.from_bytes(data[at + 1 : at + _HEADER_BYTES], "big")
            complete = len(data) - at >= _HEADER_BYTES and end <= len(data)
            if not complete and (self._kind in _KEPT or len(data) - at < _HEADER_BYTES):
                break
            if self._kind in _KEPT:
                events += _event(self._kind, bytes(data[at + _HEADER_BYTES : end]))
            if self._kind == ord("Z"):
                self._followed = len(data) - end
            at = end
        self._skip += max(0, at - len(data))
        del data[:at]
        return events

    def _end_of_long_response(self, tail: bytes) -> list[Event]:
        for candidate in _END_OF_RESULT.finditer(tail):
            messages = _messages(tail, candidate.start())
            if messages:
                self._tail, self._followed = None, 0
                self._unread.clear()
                self._skip = 0
                return [event for kind, body in messages for event in _event(kind, body)]
        return []


def _messages(tail: bytes, at: int) -> list[tuple[int, bytes]]:
    """The messages from `at` to the end of `tail`; none if they do not end exactly there."""
    messages = []
    while len(tail) - at >= _HEADER_BYTES and tail[at] in _AFTER_RESULT:
        end = at + 1 + int.from_bytes(tail[at + 1 : at + _HEADER_BYTES], "big")
        if not at + _HEADER_BYTES <= end <= len(tail):
            return []
        messages.append((tail[at], tail[at + _HEADER_BYTES : end]))
        at = end
    return messages if at == len(tail) and messages[-1][0] == ord("Z") else []


def _event(kind: int, body: bytes) -> list[Event]:
    if kind == ord("Z"):
        return [Event("ready", in_transaction=body != b"I")]
    if kind == ord("E"):
        return [Event("failed", error=error_text(body))]
    if kind in b"CI":
        return [Event("completed")]
    return [Event("suspended")] if kind == ord("s") else []
