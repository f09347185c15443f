"""Crash loads at random moments against real servers; exit with 1 unless all cases are green."""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from functools import partial

from tests.crash.cases import SEEDS, play
from tests.crash.table import lines, row
from tests.crash.world import World
from tests.faults.session import running_world
from tests.support.case_results import timed, write_report
from tests.support.repository import REPOSITORY

REPORT = REPOSITORY / "reports" / "crash.json"


def main() -> int:
    options = _parser().parse_args()
    started = time.monotonic()
    with running_world(World, "crash") as world:
        results = [timed(str(n), partial(play, world, n)) for n in options.seed or SEEDS]
    write_report(REPORT, map(row, results))
    print("\n".join(lines(results)))
    green = sum(result.green for result in results)
    phases = Counter(result.case.moment.phase for result in results)
    print("moments: " + ", ".join(f"{count} {phase}" for phase, count in phases.items()))
    print(f"{green} of {len(results)} green in {time.monotonic() - started:.0f} s: {REPORT}")
    return 0 if green == len(results) else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="make crash", description=__doc__)
    parser.add_argument("--seed", nargs="+", type=int, metavar="N", help="only these cases")
    return parser


if __name__ == "__main__":
    sys.exit(main())
