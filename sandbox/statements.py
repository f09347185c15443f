"""Read the shim's log of the statements that clients sent."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path


@dataclass(frozen=True)
class Statement:
    """One statement. `finished_at` is None while it runs, `rewritten` the SQL for PostgreSQL if it
    differs from `text`, `session_id` the session's `pg_backend_pid()`."""

    id: int
    session_id: int
    user: str
    database: str
    application_name: str
    text: str
    rewritten: str | None
    started_at: datetime
    finished_at: datetime | None = None
    error: str | None = None

    @property
    def seconds(self) -> float | None:
        return (self.finished_at - self.started_at).total_seconds() if self.finished_at else None


def read_statements(log: Path) -> list[Statement]:
    """All statements in the order of their start."""
    statements: dict[int, Statement] = {}
    for line in log.read_text(encoding="ascii").splitlines():
        if not line.endswith("}"):
            continue  # a line that is being written
        event = json.loads(line)
        kind, at = event.pop("event"), datetime.fromisoformat(event.pop("at"))
        if kind == "opened":
            _end_running(statements, at)
        elif kind == "started":
            event.setdefault("rewritten", None)
            statements[event["id"]] = Statement(started_at=at, **event)
        elif kind == "finished":
            started = statements[event["id"]]
            statements[started.id] = replace(started, finished_at=at, error=event.get("error"))
    return list(statements.values())


def most_at_once(statements: Iterable[Statement]) -> int:
    """The greatest number of statements that ran at the same time."""
    edges: list[tuple[float, int]] = []
    for statement in statements:
        edges.append((statement.started_at.timestamp(), 1))
        if statement.finished_at:
            edges.append((statement.finished_at.timestamp(), -1))
    running = most = 0
    for _, change in sorted(edges):  # at the same time an end, -1, sorts before a start
        running += change
        most = max(most, running)
    return most


def _end_running(statements: dict[int, Statement], at: datetime) -> None:
    """End all running statements: a new shim has started, so the previous one was killed."""
    for statement in list(statements.values()):
        if statement.finished_at is None:
            statements[statement.id] = replace(
                statement, finished_at=at, error="the server stopped"
            )
