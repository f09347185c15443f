"""What the warehouse was asked: the statement log of the shim, read back."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path


@dataclass(frozen=True)
class Statement:
    """One statement. `finished_at` is None while it runs; `rewritten` if PostgreSQL got another
    text; `session_id` is what `pg_backend_pid()` says in its session."""

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
    """In the order in which they were started."""
    statements: dict[int, Statement] = {}
    for line in log.read_text(encoding="ascii").splitlines():
        if not line.endswith("}"):
            continue  # being written
        event = json.loads(line)
        kind, at = event.pop("event"), datetime.fromisoformat(event.pop("at"))
        if kind == "opened":
            _end_what_runs(statements, at)
        elif kind == "started":
            event.setdefault("rewritten", None)
            statements[event["id"]] = Statement(started_at=at, **event)
        elif kind == "finished":
            started = statements[event["id"]]
            statements[started.id] = replace(started, finished_at=at, error=event.get("error"))
    return list(statements.values())


def most_at_once(statements: Iterable[Statement]) -> int:
    """The greatest number of them that ran at the same time; touching is not overlapping."""
    edges: list[tuple[float, int]] = []
    for statement in statements:
        edges.append((statement.started_at.timestamp(), 1))
        if statement.finished_at:
            edges.append((statement.finished_at.timestamp(), -1))
    running = most = 0
    for _, change in sorted(edges):  # of two edges at one time the end, -1, comes first
        running += change
        most = max(most, running)
    return most


def _end_what_runs(statements: dict[int, Statement], at: datetime) -> None:
    """A new shim has begun, so the one that knew how they ended was killed."""
    for statement in list(statements.values()):
        if statement.finished_at is None:
            statements[statement.id] = replace(
                statement, finished_at=at, error="the server stopped"
            )
