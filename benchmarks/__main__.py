"""python -m benchmarks [--quick] [--pairs N] [--rows N] [--cases GROUP …]"""

import argparse
import signal
import sys
from collections.abc import Sequence

from benchmarks import cases, commands, machine, output, runner, services
from benchmarks.data import create
from benchmarks.errors import BenchmarkError
from benchmarks.measurements import Measurement
from sandbox.settings import USER

# The groups that the ratios need; the others are only shown.
NEEDED = ("load", "write", "warehouse", "memory", "growth")
GROUPS = (*NEEDED, "emr", "ordered")
QUICK_GROUPS = ("load", "write")
# Groups that need Maven and a JDK; without them the result has a note.
OPTIONAL = ("emr",)
ROWS, QUICK_ROWS = 5_000_000, 1_000_000
WRITTEN, QUICK_WRITTEN = 100_000, 20_000
PAIRS = 5


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the chosen groups and return the exit code."""
    options = parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, _exit)
    quick = options.quick
    sizes = cases.Sizes(
        options.rows or (QUICK_ROWS if quick else ROWS), QUICK_WRITTEN if quick else WRITTEN
    )
    pairs = options.pairs or (1 if quick else PAIRS)
    names = options.cases or list(QUICK_GROUPS if quick else GROUPS)
    facts = machine.facts() | {"notes": {}}
    measurements: list[Measurement] = []
    try:
        commands.install()
        with services.running() as running:
            users = {
                data.name: create(running.connect, data, USER)
                for data in cases.data_sets(sizes, set(names))
            }
            groups = cases.groups(running, sizes, users)
            print("\n".join(output.heading()))
            for name in names:
                try:
                    measurements += runner.run_pairs(running, groups[name], pairs, show)
                except BenchmarkError as error:
                    if name not in OPTIONAL:
                        raise
                    facts["notes"][name] = str(error)
                    print(f"{name}: skipped, {error}")
    except BenchmarkError as error:
        print(f"benchmarks: {error}", file=sys.stderr)
        return 1
    print("\n".join(output.summary(measurements)))
    complete = set(names) >= set(NEEDED) and pairs >= PAIRS and sizes == cases.Sizes(ROWS, WRITTEN)
    for path in output.save(measurements, facts, sizes, complete):
        print(f"wrote {path}")
    return 0


def _exit(*_: object) -> None:
    """Raise SystemExit, so that the servers are stopped."""
    sys.exit("benchmarks: stopped by SIGTERM")


def show(measurement: Measurement) -> None:
    print(output.line(measurement), flush=True)


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Measure the loader against the tools that people use instead.",
    )
    top.add_argument(
        "--quick",
        action="store_true",
        help=f"{QUICK_ROWS:,} rows, 1 pair, groups {' and '.join(QUICK_GROUPS)}",
    )
    top.add_argument("--pairs", type=int, metavar="N", help=f"runs of each case (default: {PAIRS})")
    top.add_argument("--rows", type=int, metavar="N", help=f"rows to load (default: {ROWS:,})")
    top.add_argument(
        "--cases",
        nargs="+",
        choices=GROUPS,
        metavar="GROUP",
        help=f"groups to run: {', '.join(GROUPS)}",
    )
    return top


if __name__ == "__main__":
    sys.exit(main())
