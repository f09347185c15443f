"""A case, what it came to, and the commands and the kills of its play."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from loader.errors import COMPLETE
from tests.cluster.driver import Process
from tests.cluster.world import ITEMS, QUICK, Place, World
from tests.crash.moments import Moment
from tests.faults.world import Outcome

REFUSED = 2
# Of what a command printed: its JVM may have printed more.
MOST_CHARACTERS = 3_000


@dataclass
class Result:
    """What a case came to. `code` is that of its last command, which completes the table."""

    case: Case
    spark: str
    code: int = -1
    equal: bool = False
    problems: list[str] = field(default_factory=list)

    @property
    def green(self) -> bool:
        return self.equal and self.code == COMPLETE and not self.problems

    def __str__(self) -> str:
        return "\n  ".join([str(self.row), *self.problems])

    @property
    def row(self) -> dict[str, Any]:
        """The result as reports/cluster.json has it."""
        return {
            "case": self.case.name,
            "spark": self.spark,
            "exit_code": self.code,
            "table_equals_model": self.equal,
        }


@dataclass(frozen=True)
class Case:
    """`event` is what happens, for the docs; `smoke` cases are the few of a smoke test."""

    name: str
    event: str
    play: Callable[[Run], None]
    storage: str = "s3"
    master: str = "--spark-conf"
    smoke: bool = False
    collect: dict[str, Any] = field(default_factory=lambda: ITEMS)
    properties: dict[str, str] = field(default_factory=lambda: QUICK)


@dataclass
class Run:
    """A case that is played on its place."""

    place: Place
    result: Result

    @property
    def world(self) -> World:
        return self.place.world

    def command(self, verb: str, *arguments: str) -> Outcome:
        """Run a command that completes; another exit code than 0 is a problem of the case."""
        outcome = self.place.run(verb, *arguments)
        self.result.code = outcome.code
        self.expect(verb, outcome, COMPLETE)
        return outcome

    def refused(self, storage: str, cause: str) -> None:
        """A load with this storage, which must be refused for the cause."""
        outcome = self.place.run("load", storage=storage)
        self.expect(f"load with --storage {storage}", outcome, REFUSED)
        if cause not in outcome.err:
            self.result.problems.append(f"--storage {storage}: no {cause!r} in {outcome.err}")

    def expect(self, what: str, outcome: Outcome, *codes: int) -> None:
        if outcome.code not in codes or "Traceback" in outcome.err:
            text = f"{outcome.out}{outcome.err}"[-MOST_CHARACTERS:]
            self.result.problems.append(f"{what}: {outcome.code}, {text}")

    def struck(
        self, moment: Moment, strike: Callable[[Process], Any], *codes: int, delay: float = 0.0
    ) -> None:
        """A load at whose moment something is killed; it ends with one of the codes."""
        struck, outcome = self.place.run_struck(moment, strike, delay)
        self.result.code = outcome.code
        self.expect(f"load ({moment})", outcome, *(codes if struck else ()))
