"""Log the start and the end of each statement.

The log has one JSON object per line: `opened` (a new shim), `started` and `finished`.
`sandbox.statements` and the view sys_query_history read it.
"""

from __future__ import annotations

import itertools
import json
import os
import threading
import time
from collections import deque
from datetime import datetime, timezone
from pathlib import Path

from sandbox.redshift.responses import Event


class StatementLog:
    """Appends each line with a single write, so that a killed shim leaves no partial line."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        # Ids also grow from one shim to the next, because they start with the time.
        self._ids = itertools.count(time.time_ns() // 1000)
        self.write("opened", id=next(self._ids))

    def started(self, **facts: object) -> int:
        number = next(self._ids)
        self.write("started", id=number, **facts)
        return number

    def write(self, event: str, **facts: object) -> None:
        at = datetime.now(timezone.utc).isoformat(timespec="microseconds")
        line = json.dumps({"event": event, "at": at} | facts) + "\n"
        os.write(self._file, line.encode("ascii"))


class Execution:
    """One execution of a statement, from the time the server starts it to its end."""

    def __init__(self, text: str, rewritten: str, portal: str | None) -> None:
        self.text, self.rewritten = text, rewritten
        self.portal = portal  # None: a simple Query, which ends with ReadyForQuery
        self.number: int | None = None
        self.error: str | None = None


SYNC = None


class SessionLog:
    """The executions of one connection, which the server runs one after the other.

    The client's thread adds to the queue, the server's thread removes from it.
    """

    def __init__(self, log: StatementLog, parameters: dict[str, str]) -> None:
        user = parameters.get("user", "")
        self._log = log
        self._facts: dict[str, object] = {
            "session_id": 0,
            "user": user,
            "database": parameters.get("database", user),
            "application_name": parameters.get("application_name", ""),
        }
        self._queue: deque[Execution | None] = deque()
        self._suspended: dict[str, Execution] = {}
        self._prepared: Execution | None = None
        self._is_skipping = False  # after an error the server ignores everything up to the Sync
        self._lock = threading.Lock()

    def set_session_id(self, session_id: int) -> None:
        self._facts["session_id"] = session_id

    def on_execute(self, execution: Execution) -> None:
        with self._lock:
            if self._is_skipping and SYNC not in self._queue:
                return
            if execution.portal is not None:
                execution = self._suspended.pop(execution.portal, execution)
            self._queue.append(execution)
            self._start_first()

    def on_prepare(self, statement: Execution) -> None:
        """A Parse or Bind. If it fails, nothing is executed, but the statement is logged."""
        with self._lock:
            self._prepared = statement

    def on_sync(self) -> None:
        with self._lock:
            self._queue.append(SYNC)

    def on_portal_closed(self, portal: str) -> None:
        """The client closed the portal, or bound its name to another statement."""
        with self._lock:
            if execution := self._suspended.pop(portal, None):
                self._finish(execution)

    def on_events(self, events: list[Event]) -> None:
        if not events:
            return
        with self._lock:
            for event in events:
                self._apply(event)

    def on_disconnect(self, reason: str) -> None:
        with self._lock:
            for execution in [*self._suspended.values(), *self._queue]:
                if execution and execution.number is not None:
                    execution.error = execution.error or reason
                    self._finish(execution)
            self._suspended.clear()
            self._queue.clear()

    def _apply(self, event: Event) -> None:
        first = self._queue[0] if self._queue else SYNC
        if event.kind == "ready":
            self._finish_request()
            self._prepared, self._is_skipping = None, False
            if not event.in_transaction:
                self._finish_suspended()
        elif first is SYNC:
            if event.kind == "failed":
                self._log_failed_prepare(event.error)
        elif event.kind == "failed":
            first.error = event.error
        elif first.portal is None:
            return  # one of several statements of a Query
        else:
            self._queue.popleft()
            if event.kind == "suspended":
                self._suspended[first.portal] = first
            else:
                self._finish(first)
        self._start_first()

    def _finish_request(self) -> None:
        """Finish everything up to the Sync; after an error the server skips the rest."""
        while self._queue and (execution := self._queue.popleft()) is not SYNC:
            if execution.number is not None:
                self._finish(execution)
            if execution.portal is None:
                return

    def _finish_suspended(self) -> None:
        """Finish suspended executions: the end of a transaction closes its portals."""
        for execution in self._suspended.values():
            self._finish(execution)
        self._suspended.clear()

    def _start_first(self) -> None:
        first = self._queue[0] if self._queue else SYNC
        if first is not SYNC and first.number is None:
            self._start(first)

    def _start(self, execution: Execution) -> None:
        rewritten = execution.rewritten
        changed = {"rewritten": rewritten} if rewritten != execution.text else {}
        execution.number = self._log.started(**self._facts, text=execution.text, **changed)

    def _log_failed_prepare(self, error: str | None) -> None:
        self._is_skipping = True
        if self._prepared:
            self._start(self._prepared)
            self._prepared.error = error
            self._finish(self._prepared)
            self._prepared = None

    def _finish(self, execution: Execution) -> None:
        failed = {"error": execution.error} if execution.error else {}
        self._log.write("finished", id=execution.number, **failed)
