"""What a dbt project, or a bundle of it, declares of the exports of a run."""

from dataclasses import dataclass

from loader.dbt.gate_result import Gate
from loader.items.export import Export
from loader.warehouse.connection import Connection


@dataclass(frozen=True)
class Inputs:
    """Inputs that are read before any connection is opened, and the problems found in them.

    `tables` has the table of each export of the project, also of those that are not loaded.
    `target` is the name of the dbt target, also if it is the profile's default; None of a bundle,
    which has one target.
    """

    exports: tuple[Export, ...]
    tables: dict[str, str]
    gates: dict[str, Gate]
    connection: Connection | None
    target: str | None
    problems: tuple[str, ...]

    @property
    def failed_gates(self) -> list[str]:
        """Problems of the dbt tests; none with --skip-dbt-gate."""
        return [g.problem for g in self.gates.values() if g.problem and not g.skipped]
