"""The cases: what happens to a load on a cluster, what is run after it, and how it is judged."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from loader.errors import COMPLETE
from tests.cluster.driver import Process
from tests.cluster.world import DYNAMIC, ITEMS, LISTS, MARK, QUICK, Place, World
from tests.crash.moments import Moment
from tests.faults.world import Outcome

KILLED, INTERRUPTED, REFUSED = 137, 130, 2
SLOW_SECONDS = 0.2
# What Spark keeps after an application: logs and jars, and in /tmp libraries and counters of JVMs.
# Of a killed worker also jars on their way.
KEPT = (".jar", "stdout", "stderr", ".so", ".so.lck", "_cache", "_lock")
COUNTERS = "hsperfdata_"


@dataclass
class Result:
    """What a case came to. `code` is that of its last command, which completes the table."""

    case: Case
    spark: str
    code: int = -1
    equal: bool = False
    problems: list[str] = field(default_factory=list)

    @property
    def holds(self) -> bool:
        return self.equal and self.code == COMPLETE and not self.problems

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
            self.result.problems.append(f"{what}: {outcome.code}, {outcome.out}{outcome.err}")

    def struck(
        self, moment: Moment, strike: Callable[[Process], Any], *codes: int, delay: float = 0.0
    ) -> None:
        """A load at whose moment something is killed; it ends with one of the codes."""
        struck, outcome = self.place.run_struck(moment, strike, delay)
        self.result.code = outcome.code
        self.expect(f"load ({moment})", outcome, *(codes if struck else ()))


# ---- the moments


def planning(place: Place) -> Moment:
    """A task of the plan has written its first file, and others are to come."""
    if place.on_s3:
        return Moment("plan", r"PUT changes/.*", 2)
    return Moment("plan", r"/changes/\d", 2, file=True)


def writing(_: Place) -> Moment:
    """Six of 32 requests were answered."""
    return Moment("apply", "BatchWriteItem", 6)


# ---- the cases


def straight(run: Run) -> None:
    """A first load of a plan, the next night, and the loader's own verdict."""
    outcome = run.command("plan", "--json")
    folder = json.loads(outcome.out.splitlines()[-1])["folder"] if not outcome.code else ""
    run.command("apply", folder)
    night(run)
    verify(run)


def first_and_next(run: Run) -> None:
    run.command("load")
    night(run)


def night(run: Run) -> None:
    run.place.change_model()
    run.command("load")


def verify(run: Run) -> None:
    outcome = run.command("verify", run.place.name, "--json")
    verdict = json.loads(outcome.out.splitlines()[-1]) if outcome.out else {}
    counts = [verdict.get(name) for name in ("missing", "extra", "different", "in_doubt")]
    if counts != [0, 0, 0, 0]:
        run.result.problems.append(f"verify: {counts}, {outcome.err}")


def executor_killed_in_plan(run: Run) -> None:
    run.struck(planning(run.place), lambda _: kill_executor(run), COMPLETE)


def executor_killed_in_apply(run: Run) -> None:
    """The slices of the executor run again, on the other one or on the one that replaces it."""
    run.struck(writing(run.place), lambda _: kill_executor(run), COMPLETE, delay=SLOW_SECONDS)


def worker_killed_in_plan(run: Run) -> None:
    lose_worker(run, planning(run.place))


def worker_killed_in_apply(run: Run) -> None:
    lose_worker(run, writing(run.place), SLOW_SECONDS)


def driver_killed_in_plan(run: Run) -> None:
    run.struck(planning(run.place), lambda process: process.kill_machine(), KILLED)
    run.command("load")


def driver_killed_in_apply(run: Run) -> None:
    """The driver is killed and its JVM ends by itself; `loader resume` completes the run."""
    run.struck(
        writing(run.place), lambda process: process.kill_driver(), KILLED, delay=SLOW_SECONDS
    )
    run.command("resume", run.place.name)


def load_after_driver_killed(run: Run) -> None:
    """Meanwhile the model changes; the next load completes both."""
    run.command("load")
    run.place.change_model()
    run.struck(
        writing(run.place), lambda process: process.kill_machine(), KILLED, delay=SLOW_SECONDS
    )
    run.place.change_model()
    run.command("load")


def interrupted_apply(run: Run) -> None:
    run.struck(
        writing(run.place), lambda process: process.interrupt(), INTERRUPTED, delay=SLOW_SECONDS
    )
    run.command("resume", run.place.name)


def unshared_storage(run: Run) -> None:
    """Refused before a row is read, as a relative folder is; then a load completes."""
    run.refused(".loader", "--storage must be s3://bucket/prefix or the absolute path")
    run.refused(str(run.place.folder / "runs"), "does not see the driver's files")
    run.command("load")


def kill_executor(run: Run) -> None:
    if not run.world.cluster.workers[0].kill_executor():
        run.result.problems.append("no executor ran on the first worker")


def lose_worker(run: Run, moment: Moment, delay: float = 0.0) -> None:
    """A worker is gone with its executors and does not come back before the load has ended."""
    worker = run.world.cluster.workers[0]
    lost: list[int] = []

    def lose() -> None:
        lost.extend(worker.executors())
        worker.kill()

    run.struck(moment, lambda _: lose(), COMPLETE, delay=delay)
    worker.start()
    if not lost:
        run.result.problems.append("no executor ran on the first worker")


CASES = (
    Case("folder", "plan, apply, the next night, verify", straight, "folder", smoke=True),
    Case(
        "s3", "two nights of an export with two lists, by `spark-submit` with dynamic allocation",
        first_and_next, master="spark-submit", collect=LISTS, properties=DYNAMIC,
    ),
    Case(
        "executor_killed_in_plan", "an executor is killed while a plan reads",
        executor_killed_in_plan,
    ),
    Case(
        "executor_killed_in_apply", "an executor is killed while an apply writes",
        executor_killed_in_apply, smoke=True,
    ),
    Case(
        "worker_killed_in_plan", "a worker and its executors are killed while a plan reads",
        worker_killed_in_plan, "folder", master="spark-defaults.conf",
    ),
    Case(
        "worker_killed_in_apply", "a worker and its executors are killed while an apply writes",
        worker_killed_in_apply,
    ),
    Case(
        "driver_killed_in_plan", "the driver is killed while a plan reads, then a load",
        driver_killed_in_plan, master="MASTER",
    ),
    Case(
        "driver_killed_in_apply", "the driver is killed while an apply writes, then `loader "
        "resume`", driver_killed_in_apply,
    ),
    Case(
        "load_after_driver_killed", "the driver is killed in the next night, the model changes, "
        "then a load", load_after_driver_killed, "folder",
    ),
    Case(
        "interrupted_apply", "Ctrl-C while an apply writes, then `loader resume`",
        interrupted_apply, "folder", master="spark-defaults.conf",
    ),
    Case(
        "unshared_storage", "a relative folder and one that executors do not see are refused, then "
        "a load", unshared_storage,
    ),
)  # fmt: skip


def play(world: World, case: Case) -> Result:
    result = Result(case, world.driver.spark_version)
    name = f"cluster_{case.name}"
    place = Place(world, name, case.storage == "s3", case.master, case.collect, case.properties)
    try:
        world.cluster.wait_for_workers()
        case.play(Run(place, result))
        world.cluster.wait_until_idle()
        result.equal = place.items() == place.model()
    except Exception as error:  # noqa: BLE001  the other cases are played
        result.problems.append(f"{type(error).__name__}: {error}")
    result.problems += left(world)
    return result


def left(world: World) -> list[str]:
    """Files of workers that have users' rows, or that may have them in a form of their own."""
    mark = MARK.encode()
    files = [path for worker in world.cluster.workers for path in worker.files()]
    return [
        f"a worker must keep no rows, got {path.relative_to(world.cluster.folder)}"
        for path in files
        if not _is_kept(path) or mark in path.read_bytes()
    ]


def _is_kept(path: Path) -> bool:
    return path.name.endswith(KEPT) or path.parent.name.startswith(COUNTERS)
