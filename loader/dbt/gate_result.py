"""The result of the dbt gate, a part of the plan."""

from dataclasses import dataclass
from datetime import datetime

from loader.age_limit import AgeLimit
from loader.storage.newest_build import Build
from loader.utc_time import is_of_the_future, moment, utc_text


@dataclass(frozen=True)
class Gate:
    """The results of an export's dbt tests; `problem` is why it must not be loaded, or empty.

    `finished` is the UTC time at which dbt wrote the results, `invocation` the id of its command.
    `skipped`: --skip-dbt-gate is set. `note` is what could not be compared, or empty.
    """

    tests: int = 0
    passed: int = 0
    warned: int = 0
    finished: str = ""
    problem: str = ""
    skipped: bool = False
    note: str = ""
    invocation: str = ""

    @property
    def build(self) -> Build | None:
        """The build that the results are of; None if it did not build and test the export."""
        is_build = not self.problem and self.invocation and moment(self.finished)
        return Build(self.invocation, self.finished) if is_build else None


def age_problem(export: str, gate: Gate, limit: AgeLimit, now: datetime) -> str | None:
    """Why the results are too old, or None."""
    if problem := _future_problem(export, gate, now):
        return problem
    finished = moment(gate.finished)
    if finished and limit.allows(finished, now):
        return None
    when = f"results of {gate.finished}" if finished else "none"
    return (
        f"dbt's results of export {export} must be at most {limit} old, got {when} at "
        f"{utc_text(now)}: build and test it again with dbt, and make its bundle again, or give "
        "a higher --max-gate-age"
    )


def older_problem(export: str, gate: Gate, newest: Build | None, now: datetime) -> str | None:
    """Why the results are not those of the newest build that is known, or None."""
    if problem := _future_problem(export, gate, now):
        return problem
    finished = moment(gate.finished)
    if newest is None or (finished and finished >= newest.moment):
        return None
    ours = f"build {gate.invocation} of {gate.finished}" if finished else "no build"
    return (
        f"export {export} must be of its newest dbt build, got {ours} after {newest}: plan or "
        "bundle the newest build, or load without --latest"
    )


def _future_problem(export: str, gate: Gate, now: datetime) -> str | None:
    finished = moment(gate.finished)
    if finished is None or not is_of_the_future(finished, now):
        return None
    return (
        f"dbt's results of export {export} must not be of the future, got results of "
        f"{gate.finished} at {utc_text(now)}: set the clock of this machine or of that which "
        "ran dbt, and build again"
    )
