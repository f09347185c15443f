"""Rewrite the SQL in a client's messages, and log the statements it executes."""

from __future__ import annotations

from sandbox.redshift.protocol import message
from sandbox.redshift.rewrite import rewrite
from sandbox.redshift.statement_log import Execution, SessionLog

# Parse, Bind, Describe, Execute, Close: the server responds only after a Sync or Flush.
_WITHOUT_RESPONSE = (b"P", b"B", b"D", b"E", b"C")


class RequestReader:
    """Tracks prepared statements and portals by name, as the server does."""

    def __init__(self, log: SessionLog) -> None:
        self._log = log
        self._prepared: dict[bytes, tuple[str, str]] = {}  # name -> text, rewritten
        self._portals: dict[bytes, bytes] = {}  # portal -> name of its statement
        self._unsent = bytearray()

    def feed(self, kind: bytes, body: bytes) -> bytes:
        """Process a message; returns the bytes to send now, none before a Sync, Flush or Query."""
        if kind == b"Q":
            body = self._query(body)
        elif kind == b"P":
            body = self._parse(body)
        elif kind == b"B":
            self._bind(body)
        elif kind == b"E":
            self._execute(body)
        elif kind == b"C":
            self._close(body)
        elif kind == b"S":
            self._log.on_sync()
        self._unsent += message(kind, body)
        if kind in _WITHOUT_RESPONSE:
            return b""
        out = bytes(self._unsent)
        self._unsent.clear()
        return out

    def _query(self, body: bytes) -> bytes:
        text, rewritten = _rewritten(body.rstrip(b"\0"))
        self._log.on_execute(Execution(text, rewritten, portal=None))
        return rewritten.encode("utf-8", "surrogateescape") + b"\0"

    def _parse(self, body: bytes) -> bytes:
        name, sql, types = body.split(b"\0", 2)
        text, rewritten = _rewritten(sql)
        self._prepared[name] = (text, rewritten)
        self._log.on_prepare(Execution(text, rewritten, portal=""))
        return name + b"\0" + rewritten.encode("utf-8", "surrogateescape") + b"\0" + types

    def _bind(self, body: bytes) -> None:
        portal, name, _ = body.split(b"\0", 2)
        self._portals[portal] = name
        self._log.on_portal_closed(portal.decode())
        self._log.on_prepare(self._execution(portal))

    def _execute(self, body: bytes) -> None:
        self._log.on_execute(self._execution(body[: body.index(b"\0")]))

    def _execution(self, portal: bytes) -> Execution:
        text, rewritten = self._prepared.get(self._portals.get(portal, b""), ("", ""))
        return Execution(text, rewritten, portal.decode())

    def _close(self, body: bytes) -> None:
        if body[:1] == b"P":
            self._log.on_portal_closed(body[1:].rstrip(b"\0").decode())


def _rewritten(sql: bytes) -> tuple[str, str]:
    text = sql.decode("utf-8", "surrogateescape")
    return text, rewrite(text)
