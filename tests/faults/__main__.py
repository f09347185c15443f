"""Run every fault with three seeds against real servers; exit with 1 unless all are green."""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from loader.spark.session import start
from loader.warehouse.connection import DRIVERS
from sandbox import Sandbox, Settings
from tests.faults.matrix import CASES, SEEDS, SESSION, Case, Result
from tests.faults.table import FIELDS, lines, write_table
from tests.faults.world import MARK, World
from tests.support.repository import REPOSITORY

REPORT = REPOSITORY / "reports" / "faults.json"
PAGE = REPOSITORY / "docs" / "reliability.md"


def main() -> int:
    options = _parser().parse_args()
    chosen = [case for case in CASES if not options.fault or case.fault in options.fault]
    seeds = options.seed or SEEDS
    with _world() as world:
        results = list(_play(world, chosen, seeds))
    REPORT.parent.mkdir(exist_ok=True)
    rows = [{name: getattr(result, name) for name in FIELDS} for result in results]
    REPORT.write_text(json.dumps(rows, indent=1) + "\n")
    print("\n".join(lines(chosen, results)))
    if chosen == list(CASES) and tuple(seeds) == SEEDS:
        write_table(PAGE, chosen, results)
    red = [result for result in results if not result.green]
    print(f"{len(results) - len(red)} of {len(results)} green: {REPORT}")
    return 1 if red else 0


def _play(world: World, chosen: list[Case], seeds: Sequence[int]) -> Iterator[Result]:
    for case in chosen:
        for seed in seeds:
            started = time.monotonic()
            result = case.play(world, seed)
            took = time.monotonic() - started
            verdict = "ok" if result.green else f"RED {result}"
            print(f"{case.step} {case.fault} {seed}: {verdict}, {took:.1f} s", file=sys.stderr)
            yield result


@contextmanager
def _world() -> Iterator[World]:
    """A sandbox on free ports, and one Spark session for the cases that do not kill it."""
    with tempfile.TemporaryDirectory(prefix="faults-") as folder:
        sandbox = Sandbox(Settings.on_free_ports(Path(folder) / "sandbox"))
        try:
            sandbox.up()
            world = World(sandbox, Path(folder))
            os.environ.update(world.environment(), **{MARK: SESSION})
            quiet = {"spark.ui.enabled": "false"}
            session = start("faults", [*DRIVERS.values()], 4, Path(folder) / "spark.log", quiet)
            try:
                yield world
            finally:
                session.stop()
        finally:
            sandbox.down()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="make faults", description=__doc__)
    parser.add_argument("--fault", nargs="+", metavar="NAME", help="only these faults")
    parser.add_argument("--seed", nargs="+", type=int, metavar="N", help="instead of 1, 2, 3")
    return parser


if __name__ == "__main__":
    sys.exit(main())
