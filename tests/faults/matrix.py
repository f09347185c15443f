"""The faults, and what came of each: a run under the fault, and a run without it afterwards."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from loader import cli
from tests.faults.world import Items, Outcome, Place, World, kill, processes_of, workers_of
from tests.support import dynamodb_faults as faults
from tests.support.fault_proxies import DynamoDBProxy, Fault, WarehouseProxy

SEEDS = (1, 2, 3)
SESSION = "session"  # the mark of the session that the cases share, and of its workers
ATTEMPTS = 4  # of a Spark task


@dataclass
class Result:
    """One case. `missing` and `stale` count keys that the report did not name: see `judge`."""

    fault: str
    step: str
    seed: int
    exit_code: int
    missing: int
    stale: int
    rerun_clean: bool
    named: int
    struck: bool
    account: str

    @property
    def green(self) -> bool:
        return (
            self.struck
            and not (self.missing or self.stale or self.account)
            and (self.exit_code != 0 or not self.named)
            and self.rerun_clean
        )


@dataclass(frozen=True)
class Case:
    """A fault of one step of a run. `run` gives the outcome and whether the fault struck."""

    fault: str
    step: str
    what: str
    answer: str
    run: Callable[[Place, int], tuple[Outcome, bool]]

    def play(self, world: World, seed: int) -> Result:
        place = world.place(f"{self.step}_{self.fault}_{seed}")
        before = place.items()
        outcome, struck = self.run(place, seed)
        missing, stale, named = judge(place, outcome, before)
        account = imbalance(place.report())
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
            account,
        )


def judge(place: Place, outcome: Outcome, before: Items) -> tuple[int, int, int]:
    """How many keys are missing and stale that the report does not name, and how many it names.

    Missing: the warehouse has the key, the table has no item of it. Stale: the table has the key
    with another item, or a key that the warehouse has not. A failed plan names all keys, by saying
    that nothing was written: then the table must be as it was before. So does a killed plan, which
    leaves no plan.json.
    """
    truth, items = place.world.truth, place.items()
    lacking = {key for key in truth if key not in items}
    differing = {key for key in items if items[key] != truth.get(key)}
    folder = place.run_folder()
    planned = folder is not None and (folder / "plan.json").exists()
    named = place.named()
    if not planned and outcome.code != 0 and items == before:
        named = set(truth)
    return len(lacking - named), len(differing - named), len(named)


def imbalance(report: dict[str, Any]) -> str:
    """What is wrong with the sums of a report; nothing where there is none."""
    if not report:
        return ""
    if report["mismatch"]:
        return str(report["mismatch"])
    total = report["put"] + report["rejected"] + report["not_sent"]
    return "" if total == report["items"] else f"{total} of {report['items']} items"


def rerun(place: Place) -> bool:
    """Whether a run without faults ends with 0 and a table that equals the warehouse.

    It is the command that the report gives; where there is none, a load.
    """
    command = [*place.load, "--keep"]
    if place.report().get("not_sent"):
        command += ["--changeset", str(place.run_folder())]
    outcome = place.run(command, place.world.environment())
    return outcome.code == 0 and place.items() == place.world.truth


def through_dynamodb(
    fault: Fault, place: Place, seed: int, on_fault: Callable[[int], None] = lambda _: None
) -> tuple[Outcome, bool]:
    upstream = place.world.sandbox.settings.dynamodb_port
    with DynamoDBProxy(upstream, fault, seed, on_fault) as proxy:
        environment = place.world.environment({"AWS_ENDPOINT_URL_DYNAMODB": proxy.port})
        outcome = place.run(place.load, environment)
        return outcome, proxy.fault_count > 0


def through_warehouse(place: Place, seed: int, **fault: bool) -> tuple[Outcome, bool]:
    upstream = place.world.sandbox.settings.redshift_port
    with WarehouseProxy(upstream, seed, **fault) as proxy:
        outcome = place.run(place.load, place.world.environment({"REDSHIFT_PORT": proxy.port}))
        return outcome, proxy.fault_count > 0


def expired_credentials(place: Place, seed: int) -> tuple[Outcome, bool]:
    """The file is renewed half a second after the first refusal."""

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
    """Then `loader recover` says what is in doubt; nothing, where all tasks went on to the end."""
    ready = threading.Event()
    running: list[Any] = []

    def strike(_: int) -> None:
        ready.wait(60)
        running[0].kill_driver()

    upstream = place.world.sandbox.settings.dynamodb_port
    with DynamoDBProxy(upstream, faults.callback_at_onset, seed, strike) as proxy:
        environment = place.world.environment({"AWS_ENDPOINT_URL_DYNAMODB": proxy.port})
        with place.process(place.load, environment) as process:
            running.append(process)
            ready.set()
            outcome = process.wait()
        struck = proxy.fault_count > 0
    recovery = place.run(["recover", str(place.run_folder())], place.world.environment())
    return (outcome if recovery.code in (cli.COMPLETE, cli.INCOMPLETE) else recovery), struck


def jvm_killed_in_apply(place: Place, seed: int) -> tuple[Outcome, bool]:
    def strike(_: int) -> None:
        kill(processes_of(place.name, "org.apache.spark.deploy.SparkSubmit"))

    upstream = place.world.sandbox.settings.dynamodb_port
    with DynamoDBProxy(upstream, faults.callback_at_onset, seed, strike) as proxy:
        environment = place.world.environment({"AWS_ENDPOINT_URL_DYNAMODB": proxy.port})
        # Fewer slots than slices: some slices have not begun when the JVM is gone.
        slots = ["--spark-conf", "spark.master=local[2,4]"]
        with place.process([*place.load, *slots], environment) as process:
            return process.wait(), proxy.fault_count > 0


def killed_while_planning(place: Place, strike: Callable[[], Any], over: threading.Event) -> bool:
    """Strike when a task is in the middle of a file of the changeset; False if it never was."""
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
    outcome = place.run(place.load, place.world.environment())
    over.set()
    thread.join()
    return outcome, struck[0]


def driver_killed_in_plan(place: Place, seed: int) -> tuple[Outcome, bool]:
    over = threading.Event()
    with place.process(place.load, place.world.environment()) as process:
        watchdog = threading.Timer(120, over.set)
        watchdog.start()
        struck = killed_while_planning(place, process.kill_driver, over)
        watchdog.cancel()
        return process.wait(), struck


SENT_AGAIN = "sent again after a random wait"


def dynamodb(fault: Fault, answer: str) -> Case:
    return Case(fault.__name__, "apply", str(fault.__doc__), answer, partial(_through, fault))


def _through(fault: Fault, place: Place, seed: int) -> tuple[Outcome, bool]:
    return through_dynamodb(fault, place, seed)


CASES = (
    Case(
        "connection_dropped",
        "plan",
        "A connection to the warehouse is reset when some of the rows have come.",
        "Spark runs the task again, which reads its partitions again",
        lambda place, seed: through_warehouse(place, seed, drops=True),
    ),
    Case(
        "connection_always_dropped",
        "plan",
        "The same happens to each attempt of the query.",
        "after 4 attempts the plan fails; nothing was written",
        lambda place, seed: through_warehouse(place, seed, drops=True, always=True),
    ),
    Case(
        "query_failed",
        "plan",
        "The query of some partitions fails once.",
        "Spark runs the task again",
        lambda place, seed: through_warehouse(place, seed, breaks=True),
    ),
    Case(
        "query_fails",
        "plan",
        "The query of some partitions fails each time.",
        "after 4 attempts the plan fails, and names the partitions; nothing was written",
        lambda place, seed: through_warehouse(place, seed, breaks=True, always=True),
    ),
    Case(
        "workers_killed",
        "plan",
        "SIGKILL of all Python workers in the middle of a file of the changeset.",
        "Spark runs the tasks again; files of the lost attempts do not count",
        workers_killed_in_plan,
    ),
    Case(
        "driver_killed",
        "plan",
        "SIGKILL of the driver in the middle of a file of the changeset.",
        "there is no plan.json, so nothing was written",
        driver_killed_in_plan,
    ),
    dynamodb(faults.throttled, SENT_AGAIN),
    dynamodb(faults.unprocessed, "only those are sent again"),
    dynamodb(faults.internal_error, SENT_AGAIN),
    dynamodb(faults.unavailable, SENT_AGAIN),
    dynamodb(faults.reset_before_write, "sent again on a new connection"),
    dynamodb(faults.reset_after_write, "sent again: a put of the same item changes nothing"),
    dynamodb(faults.wrong_crc, "not believed, sent again"),
    dynamodb(faults.slow, "waited for, up to 10 s; then sent again"),
    Case(
        "expired_credentials",
        "apply",
        str(faults.expired_credentials.__doc__),
        "credentials are looked up again, also in the shared file",
        expired_credentials,
    ),
    dynamodb(faults.refused_for_seconds, "tried again, up to `--retry-seconds`"),
    dynamodb(faults.dead, "given up after `--retry-seconds`; each key not sent is listed"),
    dynamodb(faults.access_denied, "stops at once; each key not sent is listed"),
    dynamodb(faults.invalid_item, "the batch is halved until the item is alone: a reject"),
    Case(
        "workers_killed",
        "apply",
        "SIGKILL of all Python workers between a write and its answer.",
        "Spark runs the tasks again, which send their slices again; counted once",
        partial(workers_killed_in_apply, always=False),
    ),
    Case(
        "workers_always_killed",
        "apply",
        "The same after each write, until Spark gives the job up.",
        "slices that ended are known; each key of the others is listed as in doubt",
        partial(workers_killed_in_apply, always=True),
    ),
    Case(
        "jvm_killed",
        "apply",
        "SIGKILL of Spark's JVM between a write and its answer.",
        "slices that ended are known; each key of the others is listed as in doubt",
        jvm_killed_in_apply,
    ),
    Case(
        "driver_killed",
        "apply",
        "SIGKILL of the driver between a write and its answer.",
        "`loader recover` lists each key in doubt, from what the tasks left",
        driver_killed_in_apply,
    ),
)
