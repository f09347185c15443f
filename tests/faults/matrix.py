"""The cases of the fault matrix: each runs a load under a fault, then one without it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from loader.errors import COMPLETE
from tests.faults.session import SESSION
from tests.faults.world import (
    GONE,
    SHORT_LOCK,
    UNCHANGED,
    Items,
    Outcome,
    Place,
    World,
    run,
)
from tests.support import dynamodb_faults as faults
from tests.support.fault_proxies import DynamoDBProxy, Fault, WarehouseProxy
from tests.support.marked_processes import kill, processes_of, workers_of

SEEDS = (1, 2, 3)


@dataclass
class Result:
    """The result of a case with one seed; `missing` and `stale` count unnamed keys: see `judge`.

    `struck`: the fault happened. `imbalance`: the totals of the report that do not add up.
    """

    fault: str
    step: str
    seed: int
    exit_code: int
    missing: int
    stale: int
    rerun_clean: bool
    named: int
    struck: bool
    imbalance: str

    @property
    def green(self) -> bool:
        return (
            self.struck
            and not (self.missing or self.stale or self.imbalance)
            and (self.exit_code != 0 or not self.named)
            and self.rerun_clean
        )


@dataclass(frozen=True)
class Case:
    """A fault in one step of a run. `run` returns the outcome and whether the fault struck.

    `event` and `response` are shown in docs/reliability.md.
    """

    fault: str
    step: str
    event: str
    response: str
    run: Callable[[Place, int], tuple[Outcome, bool]]

    def play(self, world: World, seed: int) -> Result:
        place = world.place(f"{self.step}_{self.fault}_{seed}")
        before = place.items()
        outcome, struck = self.run(place, seed)
        missing, stale, named = judge(place, outcome, before)
        report = place.report()
        return Result(
            self.fault,
            self.step,
            seed,
            outcome.code,
            missing,
            stale,
            rerun(place),
            named,
            struck,
            imbalance(report),
        )


def judge(place: Place, outcome: Outcome, before: Items) -> tuple[int, int, int]:
    """Count the missing and the stale keys that the report does not name, and the keys it names.

    Missing: in the warehouse, not in the table. Stale: in the table with another item than in the
    warehouse, or with none there. A failed plan, or a killed one, which leaves no plan.json, counts
    as naming all keys if the table is unchanged.
    """
    truth, items = place.world.truth, place.items()
    missing = {key for key in truth if key not in items}
    stale = {key for key in items if items[key] != truth.get(key)}
    folder = place.run_folder()
    planned = folder is not None and (folder / "plan.json").exists()
    named = place.named()
    if not planned and outcome.code != 0 and items == before:
        named = {*truth, *items}
    return len(missing - named), len(stale - named), len(named)


def imbalance(report: dict[str, Any]) -> str:
    """The totals of a report that do not add up; empty if there is no report."""
    if not report:
        return ""
    if report["mismatch"]:
        return str(report["mismatch"])
    total = sum(report[name] for name in ("put", "deleted", "unchanged", "rejected", "not_sent"))
    expected = report["items"] + report["deletes"]
    if total != expected:
        return f"{total} of {expected} changes"
    found = report["deletes"], report["unchanged"]
    return "" if found == (len(GONE), UNCHANGED) else f"{found} deletes and unchanged items"


def rerun(place: Place) -> bool:
    """Whether a run without faults ends with 0 and a table that equals the warehouse.

    The run is the command that the report gives; without a report, a load.
    """
    command = [*place.load, "--keep"]
    if place.report().get("not_sent"):
        command = place.resume
    outcome = run(command, place.world.environment())
    return outcome.code == 0 and place.items() == place.world.truth


def through_dynamodb(
    fault: Fault, place: Place, seed: int, on_fault: Callable[[int], None] = lambda _: None
) -> tuple[Outcome, bool]:
    upstream = place.world.sandbox.settings.dynamodb_port
    with DynamoDBProxy(upstream, fault, seed, on_fault) as proxy:
        environment = place.world.environment({"AWS_ENDPOINT_URL_DYNAMODB": proxy.port})
        outcome = run(place.load, environment)
        return outcome, proxy.fault_count > 0


def through_warehouse(place: Place, seed: int, **fault: bool) -> tuple[Outcome, bool]:
    upstream = place.world.sandbox.settings.redshift_port
    with WarehouseProxy(upstream, seed, **fault) as proxy:
        outcome = run(place.load, place.world.environment({"REDSHIFT_PORT": proxy.port}))
        return outcome, proxy.fault_count > 0


def expired_credentials(place: Place, seed: int) -> tuple[Outcome, bool]:
    """New credentials are in the file half a second after the first error."""

    def renew(strikes: int) -> None:
        if strikes == 1:
            threading.Timer(0.5, place.world.renew_credentials, [f"renewed{seed}"]).start()

    place.world.renew_credentials(f"expires{seed}")
    return through_dynamodb(faults.expired_credentials, place, seed, renew)


def workers_killed_in_apply(place: Place, seed: int, always: bool) -> tuple[Outcome, bool]:
    fault = faults.callback_from_onset if always else faults.callback_at_onset

    def strike(_: int) -> None:
        kill(workers_of(SESSION))

    return through_dynamodb(fault, place, seed, strike)


def driver_killed_in_apply(place: Place, seed: int) -> tuple[Outcome, bool]:
    """Then `loader resume` writes what is in doubt."""
    ready = threading.Event()
    running: list[Any] = []

    def strike(_: int) -> None:
        ready.wait(60)
        running[0].kill_driver()

    upstream = place.world.sandbox.settings.dynamodb_port
    with DynamoDBProxy(upstream, faults.callback_at_onset, seed, strike) as proxy:
        environment = place.world.environment({"AWS_ENDPOINT_URL_DYNAMODB": proxy.port})
        with place.process([*place.load, *SHORT_LOCK], environment) as process:
            running.append(process)
            ready.set()
            outcome = process.wait()
        struck = proxy.fault_count > 0
    resumed = run(place.resume, place.world.environment())
    return (outcome if resumed.code == COMPLETE else resumed), struck


def jvm_killed_in_apply(place: Place, seed: int) -> tuple[Outcome, bool]:
    def strike(_: int) -> None:
        kill(processes_of(place.name, "org.apache.spark.deploy.SparkSubmit"))

    upstream = place.world.sandbox.settings.dynamodb_port
    with DynamoDBProxy(upstream, faults.callback_at_onset, seed, strike) as proxy:
        environment = place.world.environment({"AWS_ENDPOINT_URL_DYNAMODB": proxy.port})
        # With one slot the last slice has not begun when the JVM is killed.
        slots = ["--spark-conf", "spark.master=local[1,4]"]
        with place.process([*place.load, *slots], environment) as process:
            return process.wait(), proxy.fault_count > 0


def killed_while_planning(place: Place, strike: Callable[[], Any], over: threading.Event) -> bool:
    """Strike while a task writes a file of the changeset; False if that was never seen."""
    while not over.is_set():
        if place.is_writing_changes():
            strike()
            return True
        time.sleep(0.001)
    return False


def workers_killed_in_plan(place: Place, seed: int) -> tuple[Outcome, bool]:
    over = threading.Event()
    struck: list[bool] = []

    def watch() -> None:
        struck.append(killed_while_planning(place, lambda: kill(workers_of(SESSION)), over))

    thread = threading.Thread(target=watch)
    thread.start()
    outcome = run(place.load, place.world.environment())
    over.set()
    thread.join()
    return outcome, struck[0]


def driver_killed_in_plan(place: Place, seed: int) -> tuple[Outcome, bool]:
    over = threading.Event()
    with place.process([*place.load, *SHORT_LOCK], place.world.environment()) as process:
        watchdog = threading.Timer(120, over.set)
        watchdog.start()
        struck = killed_while_planning(place, process.kill_driver, over)
        watchdog.cancel()
        return process.wait(), struck


SENDS_AGAIN = "sends the request again after a random wait"
LISTS_IN_DOUBT = "knows the slices that finished; lists each key of the others as in doubt"


def dynamodb(fault: Fault, response: str) -> Case:
    return Case(fault.__name__, "apply", str(fault.__doc__), response, partial(_through, fault))


def _through(fault: Fault, place: Place, seed: int) -> tuple[Outcome, bool]:
    return through_dynamodb(fault, place, seed)


CASES = (
    Case(
        "connection_dropped",
        "plan",
        "A connection to the warehouse is reset after some of the rows.",
        "retries the Spark task, which reads its partitions again",
        lambda place, seed: through_warehouse(place, seed, drops=True),
    ),
    Case(
        "connection_always_dropped",
        "plan",
        "Every attempt of that query is reset as well.",
        "fails the plan after 4 attempts; nothing is written",
        lambda place, seed: through_warehouse(place, seed, drops=True, always=True),
    ),
    Case(
        "query_failed",
        "plan",
        "The query of some partitions fails once.",
        "retries the Spark task",
        lambda place, seed: through_warehouse(place, seed, breaks=True),
    ),
    Case(
        "query_fails",
        "plan",
        "The query of some partitions fails at every attempt.",
        "fails the plan after 4 attempts and names the partitions; nothing is written",
        lambda place, seed: through_warehouse(place, seed, breaks=True, always=True),
    ),
    Case(
        "workers_killed",
        "plan",
        "All Python workers are killed while they write files of the changeset.",
        "retries the tasks and ignores the files of killed attempts",
        workers_killed_in_plan,
    ),
    Case(
        "driver_killed",
        "plan",
        "The driver is killed while tasks write files of the changeset.",
        "leaves no plan.json: nothing is written",
        driver_killed_in_plan,
    ),
    dynamodb(faults.throttled, SENDS_AGAIN),
    dynamodb(faults.unprocessed, "sends only the unwritten changes again"),
    dynamodb(faults.internal_error, SENDS_AGAIN),
    dynamodb(faults.unavailable, SENDS_AGAIN),
    dynamodb(faults.conflict, SENDS_AGAIN),
    dynamodb(faults.reset_before_write, "sends the request again on a new connection"),
    dynamodb(faults.reset_after_write, "sends it again: a put of the same item changes nothing"),
    dynamodb(faults.wrong_crc, "ignores the answer and sends the request again"),
    dynamodb(faults.slow, "waits up to 10 s, then sends the request again"),
    Case(
        "expired_credentials",
        "apply",
        str(faults.expired_credentials.__doc__),
        "reads the credentials again, including the shared file",
        expired_credentials,
    ),
    dynamodb(faults.refused_for_seconds, "retries for up to `--retry-seconds`"),
    dynamodb(faults.dead, "stops after `--retry-seconds`; lists each key not sent"),
    dynamodb(faults.access_denied, "stops at once; lists each key not sent"),
    dynamodb(faults.invalid_item, "halves the batch until the item is alone, and rejects it"),
    Case(
        "workers_killed",
        "apply",
        "All Python workers are killed between a write and its answer.",
        "retries the tasks, which send their slices again; counts each change once",
        partial(workers_killed_in_apply, always=False),
    ),
    Case(
        "workers_always_killed",
        "apply",
        "The workers are killed after each write, until Spark fails the job.",
        LISTS_IN_DOUBT,
        partial(workers_killed_in_apply, always=True),
    ),
    Case(
        "jvm_killed",
        "apply",
        "Spark's JVM is killed between a write and its answer.",
        LISTS_IN_DOUBT,
        jvm_killed_in_apply,
    ),
    Case(
        "driver_killed",
        "apply",
        "The driver is killed between a write and its answer.",
        "writes each change in doubt with `loader resume`, by the outcomes that the tasks wrote",
        driver_killed_in_apply,
    ),
)
