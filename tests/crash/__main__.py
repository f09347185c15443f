"""Crash loads at random moments against real servers; exit with 1 unless all cases are green."""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from loader.spark.session import start
from loader.warehouse.connection import DRIVERS
from sandbox import Sandbox, Settings
from tests.crash.cases import SEEDS, Result, play
from tests.crash.table import lines, row
from tests.crash.world import World
from tests.faults.world import MARK
from tests.support.repository import REPOSITORY

REPORT = REPOSITORY / "reports" / "crash.json"
SESSION = "session"  # marks the Spark session that the runs after a crash share


def main() -> int:
    options = _parser().parse_args()
    started = time.monotonic()
    with _world() as world:
        results = list(_play(world, options.seed or SEEDS))
    REPORT.parent.mkdir(exist_ok=True)
    REPORT.write_text(json.dumps([row(result) for result in results], indent=1) + "\n")
    print("\n".join(lines(results)))
    green = sum(result.green for result in results)
    phases = Counter(result.case.moment.phase for result in results)
    print("moments: " + ", ".join(f"{count} {phase}" for phase, count in phases.items()))
    print(f"{green} of {len(results)} green in {time.monotonic() - started:.0f} s: {REPORT}")
    return 0 if green == len(results) else 1


def _play(world: World, seeds: Sequence[int]) -> Iterator[Result]:
    for seed in seeds:
        started = time.monotonic()
        result = play(world, seed)
        verdict = "ok" if result.green else f"RED {row(result)}"
        print(f"{seed}: {verdict}, {time.monotonic() - started:.1f} s", file=sys.stderr)
        for problem in result.problems:
            print(f"  {problem}", file=sys.stderr)
        yield result


@contextmanager
def _world() -> Iterator[World]:
    """A sandbox on free ports, and one Spark session for the runs that are not crashed."""
    with tempfile.TemporaryDirectory(prefix="crash-") as folder:
        sandbox = Sandbox(Settings.on_free_ports(Path(folder) / "sandbox"))
        try:
            sandbox.up()
            os.environ.update(sandbox.env(), **{MARK: SESSION})
            quiet = {"spark.ui.enabled": "false"}
            session = start("crash", [*DRIVERS.values()], 4, Path(folder) / "spark.log", quiet)
            try:
                yield World(sandbox, Path(folder))
            finally:
                session.stop()
        finally:
            sandbox.down()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="make crash", description=__doc__)
    parser.add_argument("--seed", nargs="+", type=int, metavar="N", help="only these cases")
    return parser


if __name__ == "__main__":
    sys.exit(main())
