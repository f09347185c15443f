"""The result of the dbt gate, a part of the plan."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Gate:
    """The results of an export's dbt tests; `problem` is why it must not be loaded, or empty.

    `finished` is the UTC time at which dbt wrote the results. `skipped`: --skip-dbt-gate is set.
    `note` is what could not be compared, or empty.
    """

    tests: int = 0
    passed: int = 0
    warned: int = 0
    finished: str = ""
    problem: str = ""
    skipped: bool = False
    note: str = ""
