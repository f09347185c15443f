"""The cases, and how they are judged."""

from __future__ import annotations

from pathlib import Path

from tests.cluster import events
from tests.cluster.run import Case, Result, Run
from tests.cluster.world import DYNAMIC, IMPATIENT, LISTS, MARK, Place, World
from tests.support.files import content

# What Spark keeps after an application: logs and jars, and in /tmp libraries and counters of JVMs.
# Of a killed worker also jars on their way.
KEPT = (".jar", "stdout", "stderr", ".so", ".so.lck", "_cache", "_lock")
COUNTERS = "hsperfdata_"

CASES = (
    Case(
        "folder", "plan, apply, the load of the next night, verify",
        events.straight, "folder",
    ),
    Case(
        "s3", "two nightly loads of an export with two lists, by `spark-submit` with dynamic "
        "allocation", events.first_and_next, master="spark-submit", smoke=True, collect=LISTS,
        properties=DYNAMIC,
    ),
    Case(
        "executor_killed_in_plan", "an executor is killed while a plan reads",
        events.executor_killed_in_plan,
    ),
    Case(
        "executor_killed_in_apply", "an executor is killed while an apply writes",
        events.executor_killed_in_apply, smoke=True,
    ),
    Case(
        "worker_killed_in_plan", "a worker and its executors are killed while a plan reads",
        events.worker_killed_in_plan, "folder", master="spark-defaults.conf",
    ),
    Case(
        "worker_killed_in_apply", "a worker and its executors are killed while an apply writes",
        events.worker_killed_in_apply,
    ),
    Case(
        "worker_cut_off_in_apply", "a worker loses its network while an apply writes",
        events.worker_cut_off_in_apply, properties=IMPATIENT,
    ),
    Case(
        "driver_killed_in_plan", "the driver is killed while a plan reads, then a load",
        events.driver_killed_in_plan, master="MASTER",
    ),
    Case(
        "driver_killed_in_apply", "the driver is killed while an apply writes, then `loader "
        "resume`", events.driver_killed_in_apply,
    ),
    Case(
        "load_after_driver_killed", "the driver is killed in the load of the next night, the model "
        "changes, then a load", events.load_after_driver_killed, "folder",
    ),
    Case(
        "interrupted_apply", "Ctrl-C while an apply writes, then `loader resume`",
        events.interrupted_apply, "folder", master="spark-defaults.conf",
    ),
    Case(
        "unshared_storage", "a relative folder and one that executors do not see are refused, then "
        "a load", events.unshared_storage,
    ),
)  # fmt: skip


def play(world: World, case: Case) -> Result:
    version = world.driver.spark_version
    result = Result(case, version)
    # The clusters of a run share the servers.
    name = f"cluster{version.partition('.')[0]}_{case.name}"
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
        if not _is_kept(path) or mark in content(path)
    ]


def _is_kept(path: Path) -> bool:
    return path.name.endswith(KEPT) or path.parent.name.startswith(COUNTERS)
