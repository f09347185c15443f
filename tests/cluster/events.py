"""What happens in a case: its commands, and what is killed or cut off at which moment."""

from __future__ import annotations

import json

from loader.errors import COMPLETE
from tests.cluster.run import Run
from tests.cluster.world import Place
from tests.crash.moments import Moment

KILLED, INTERRUPTED = 137, 130
SLOW_SECONDS = 0.2


def planning(place: Place) -> Moment:
    """A task of the plan has written its first file, and others are to come."""
    if place.on_s3:
        return Moment("plan", r"PUT changes/.*", 2)
    return Moment("plan", r"/changes/\d", 2, file=True)


def writing(_: Place) -> Moment:
    """Six of 32 requests were answered."""
    return Moment("apply", "BatchWriteItem", 6)


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


def worker_cut_off_in_apply(run: Run) -> None:
    """A worker is cut off the network with its executors, whose connections stay open."""
    worker = run.world.cluster.workers[0]
    lost: list[int] = []

    def cut() -> None:
        lost.extend(worker.executors())
        worker.host.disconnect()

    try:
        run.struck(writing(run.place), lambda _: cut(), COMPLETE, delay=SLOW_SECONDS)
    finally:
        worker.kill()
        worker.host.connect()
        worker.start()
    if not lost:
        run.result.problems.append("no executor ran on the first worker")


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
