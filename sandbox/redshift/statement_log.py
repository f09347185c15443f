"""Which statements of a session run, written down as they begin and end.

The log has one JSON object a line: `opened` (by a new shim), `started` and `finished`.
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
    """Appends a line with a single write, so a killed shim leaves no half line."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        # Ids grow over the lives of a shim, because time does.
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
    """One run of a statement, from when the server turns to it to its end."""

    def __init__(self, text: str, rewritten: str, portal: str | None) -> None:
        self.text, self.rewritten = text, rewritten
        self.portal = portal  # None: a simple Query, which lasts until ReadyForQuery
        self.number: int | None = None
        self.error: str | None = None


SYNC = None


class SessionLog:
    """One connection's executions. The server works on them one after the other.

    The client's thread adds to the queue, the server's thread takes from it.
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
        self._skips = False  # after an error the server ignores all up to the Sync
        self._lock = threading.Lock()

    def know_session(self, session_id: int) -> None:
        self._facts["session_id"] = session_id

    def asked(self, execution: Execution) -> None:
        with self._lock:
            if self._skips and SYNC not in self._queue:
                return
            if execution.portal is not None:
                execution = self._suspended.pop(execution.portal, execution)
            self._queue.append(execution)
            self._start_first()

    def prepared(self, statement: Execution) -> None:
        """Sent to be parsed or bound. If that fails nothing is executed, yet it was asked."""
        with self._lock:
            self._prepared = statement

    def synced(self) -> None:
        with self._lock:
            self._queue.append(SYNC)

    def portal_gone(self, portal: str) -> None:
        """The client closed it, or gave its name to another statement."""
        with self._lock:
            if execution := self._suspended.pop(portal, None):
                self._finish(execution)

    def heard(self, events: list[Event]) -> None:
        if not events:
            return
        with self._lock:
            for event in events:
                self._apply(event)

    def ended(self, reason: str) -> None:
        """The connection is gone."""
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
            self._prepared, self._skips = None, False
            if not event.in_transaction:
                self._finish_suspended()
        elif first is SYNC:
            if event.kind == "failed":
                self._refuse(event.error)
        elif event.kind == "failed":
            first.error = event.error
        elif first.portal is None:
            return  # one of several statements in a Query
        else:
            self._queue.popleft()
            if event.kind == "suspended":
                self._suspended[first.portal] = first
            else:
                self._finish(first)
        self._start_first()

    def _finish_request(self) -> None:
        """Up to the Sync; after an error the server has skipped what was left."""
        while self._queue and (execution := self._queue.popleft()) is not SYNC:
            if execution.number is not None:
                self._finish(execution)
            if execution.portal is None:
                return

    def _finish_suspended(self) -> None:
        """The end of a transaction closes its portals."""
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

    def _refuse(self, error: str | None) -> None:
        self._skips = True
        if self._prepared:
            self._start(self._prepared)
            self._prepared.error = error
            self._finish(self._prepared)
            self._prepared = None

    def _finish(self, execution: Execution) -> None:
        failed = {"error": execution.error} if execution.error else {}
        self._log.write("finished", id=execution.number, **failed)
