"""Load on a Spark cluster with workers on hosts of their own; exit with 1 unless all cases hold."""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from itertools import groupby
from operator import itemgetter
from pathlib import Path

from sandbox import Sandbox
from tests.cluster import environments, network
from tests.cluster.cases import CASES, play
from tests.cluster.lanes import play_all
from tests.cluster.run import Case, Result
from tests.cluster.spark import running_cluster
from tests.cluster.table import lines, write_table
from tests.cluster.world import World, running_world
from tests.support.case_results import timed, write_report
from tests.support.repository import REPOSITORY
from tests.support.sandboxes import running_sandbox
from tests.support.wheels import build_wheel

REPORT = REPOSITORY / "reports" / "cluster.json"
PAGE = REPOSITORY / "docs" / "clusters-tested.md"
SPARKS = ("3", "4")
WORKERS = 2
# Found by the executors, as a role would be; region and endpoint come from the driver.
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "executor", "AWS_SECRET_ACCESS_KEY": "executor"}


def main() -> int:
    options = _parser().parse_args()
    if reason := network.missing():
        print(f"cluster: skipped, {reason}", file=sys.stderr)
        return 1
    # As Ctrl-C, so that hosts and servers end.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    started = time.monotonic()
    chosen = [
        (spark, case)
        for spark in options.spark or SPARKS
        for case in CASES
        if case.smoke or not (options.smoke or spark in options.smoke_of)
        if not options.case or case.name in options.case
    ]
    with tempfile.TemporaryDirectory(prefix="cluster-", dir="/var/tmp") as name:
        folder = Path(name)
        (folder / "source").mkdir()
        wheel = build_wheel(folder / "source")
        with running_sandbox(folder / "sandbox") as sandbox:
            played = partial(_played, sandbox, wheel, folder)
            results = play_all(chosen, played, min(options.processes, len(chosen)))
    write_report(REPORT, (result.row for result in results))
    print("\n".join(lines(results)))
    if not (options.smoke or options.smoke_of or options.case or options.spark):
        write_table(PAGE, results)
    held = sum(result.green for result in results)
    print(f"{held} of {len(results)} hold in {time.monotonic() - started:.0f} s: {REPORT}")
    return 0 if held == len(results) else 1


def _played(
    sandbox: Sandbox, wheel: Path, folder: Path, number: int, cases: Iterator[tuple[str, Case]]
) -> Iterator[Result]:
    """The results of the cases that a process takes; each version of Spark has one cluster."""
    for spark, group in groupby(cases, key=itemgetter(0)):
        with _world(sandbox, spark, wheel, folder / f"{number}-spark{spark}") as world:
            for _, case in group:
                yield timed(f"{spark} {case.name}", partial(play, world, case))


@contextmanager
def _world(sandbox: Sandbox, spark: str, wheel: Path, folder: Path) -> Iterator[World]:
    """A cluster of one version of Spark, whose executors have only what the recipe brings."""
    started = time.monotonic()
    requirements = Path(__file__).with_name(f"spark{spark}") / "requirements.txt"
    driver, *workers = (
        environments.create(folder / "environments" / str(number), requirements, wheel)
        for number in range(WORKERS + 1)
    )
    environments.add_packages_of_this_process(driver)
    drivers = folder / "drivers"
    drivers.mkdir()
    hidden = [drivers, driver.folder]
    with ExitStack() as stack:
        cluster = stack.enter_context(
            running_cluster(workers, folder / "hosts", variables=CREDENTIALS, hidden=hidden)
        )
        world = stack.enter_context(running_world(sandbox, cluster, driver, drivers))
        took = time.monotonic() - started
        print(f"Spark {driver.spark_version}: the cluster runs after {took:.0f} s", file=sys.stderr)
        yield world


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="make cluster", description=__doc__)
    names = [case.name for case in CASES]
    parser.add_argument("--spark", nargs="+", choices=SPARKS, help="only these main versions")
    parser.add_argument(
        "--processes", type=int, default=2, help="clusters at the same time (default: 2)"
    )
    parser.add_argument("--smoke", action="store_true", help="only a few cases")
    parser.add_argument(
        "--smoke-of", nargs="+", choices=SPARKS, default=[], help="only a few cases of these"
    )
    parser.add_argument(
        "--case", nargs="+", choices=names, metavar="NAME", help=f"only these of {', '.join(names)}"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
