"""Run every fault with three seeds against real servers; exit with 1 unless all are green."""

from __future__ import annotations

import argparse
import sys
from functools import partial

from tests.faults.matrix import CASES, SEEDS
from tests.faults.session import running_world
from tests.faults.table import FIELDS, lines, write_table
from tests.faults.world import World
from tests.support.case_results import timed, write_report
from tests.support.repository import REPOSITORY

REPORT = REPOSITORY / "reports" / "faults.json"
PAGE = REPOSITORY / "docs" / "reliability.md"


def main() -> int:
    options = _parser().parse_args()
    chosen = [case for case in CASES if not options.fault or case.fault in options.fault]
    seeds = options.seed or SEEDS
    with running_world(World, "faults") as world:
        results = [
            timed(f"{case.step} {case.fault} {seed}", partial(case.play, world, seed))
            for case in chosen
            for seed in seeds
        ]
    write_report(REPORT, ({name: getattr(result, name) for name in FIELDS} for result in results))
    print("\n".join(lines(chosen, results)))
    if chosen == list(CASES) and tuple(seeds) == SEEDS:
        write_table(PAGE, chosen, results)
    red = [result for result in results if not result.green]
    print(f"{len(results) - len(red)} of {len(results)} green: {REPORT}")
    return 1 if red else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="make faults", description=__doc__)
    parser.add_argument("--fault", nargs="+", metavar="NAME", help="only these faults")
    parser.add_argument("--seed", nargs="+", type=int, metavar="N", help="instead of 1, 2, 3")
    return parser


if __name__ == "__main__":
    sys.exit(main())
