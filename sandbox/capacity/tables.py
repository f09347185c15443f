"""The tables that the proxy knows, with the changes that were made to their limits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from sandbox.capacity.admission import Table
from sandbox.capacity.limits import (
    TableLimits,
    changed_limits,
    described_limits,
    overlaid,
    updated_limits,
)
from sandbox.capacity.log import Log
from sandbox.capacity.schema import read_schema

Description = Mapping[str, Any]


class Tables:
    def __init__(self, log: Log) -> None:
        self._log = log
        self._tables: dict[str, Table] = {}

    def find(self, name: str) -> Table | None:
        return self._tables.get(name)

    def add(self, description: Description, now: float) -> Table:
        """Learn a table from the `Table` of a DescribeTable; one that is known stays."""
        name = description["TableName"]
        if name not in self._tables:
            self._tables[name] = Table(read_schema(description), described_limits(description), now)
            self._note(self._tables[name], now)
        return self._tables[name]

    def forget(self, name: str) -> None:
        """After DeleteTable."""
        self._tables.pop(name, None)

    def change(self, name: str, change: Mapping[str, Any], now: float) -> None:
        """Raises ValueError for a wrong change; the table is known."""
        table = self._tables[name]
        self._set(table, changed_limits(table.limits, change), now)

    def update(self, description: Description, request: Mapping[str, Any], now: float) -> Table:
        """After UpdateTable; its description has the indexes that there are now."""
        name = description["TableName"]
        old = self._tables.get(name)
        if old is None:
            return self.add(description, now)
        described = described_limits(description).resources
        resources = {n: old.limits.resources.get(n, limits) for n, limits in described.items()}
        limits = updated_limits(replace(old.limits, resources=resources), request)
        if resources.keys() != old.limits.resources.keys():  # an index was created or deleted
            self._tables[name] = Table(read_schema(description), limits, now)
        self._set(self._tables[name], limits, now)
        return self._tables[name]

    def shown(self, description: Description, now: float) -> dict[str, Any]:
        """The description with the limits of now."""
        return overlaid(description, self.add(description, now).limits)

    def allowed(self) -> dict[str, dict[str, float | None]]:
        """Units per second of each table and index: {"users": {"Write": 2000, "Read": 100}}."""
        found: dict[str, dict[str, float | None]] = {}
        for table in self._tables.values():
            for (operation, resource), units in table.allowed().items():
                found.setdefault(table.name_of(resource), {})[operation] = units
        return found

    def _set(self, table: Table, limits: TableLimits, now: float) -> None:
        table.change(limits, now)
        self._note(table, now)

    def _note(self, table: Table, now: float) -> None:
        for (operation, resource), units in table.allowed().items():
            self._log.allow(now, table.name_of(resource), operation, units)
