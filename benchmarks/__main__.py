"""python -m benchmarks [--quick] [--pairs N] [--rows N] [--cases GROUP …]"""

import argparse
import signal
import sys
from collections.abc import Sequence

from benchmarks import cases, commands, machine, output, place, runner
from benchmarks.data import make
from benchmarks.errors import BenchmarkError
from benchmarks.measurements import Measurement
from sandbox.settings import USER

# Those that the ratios are made of; then what is only shown beside them.
NEEDED = ("load", "write", "warehouse", "memory", "growth")
GROUPS = (*NEEDED, "emr", "ordered")
QUICK_GROUPS = ("load", "write")
# What runs only where Maven and a JDK are; without them the result says why it is missing.
OPTIONAL = ("emr",)
ROWS, QUICK_ROWS = 5_000_000, 1_000_000
WRITTEN, QUICK_WRITTEN = 100_000, 20_000
PAIRS = 5


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the groups asked for; the value is the exit code."""
    options = parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, _terminated)
    quick = options.quick
    sizes = cases.Sizes(
        options.rows or (QUICK_ROWS if quick else ROWS), QUICK_WRITTEN if quick else WRITTEN
    )
    pairs = options.pairs or (1 if quick else PAIRS)
    names = options.cases or list(QUICK_GROUPS if quick else GROUPS)
    here = machine.facts() | {"notes": {}}
    done: list[Measurement] = []
    try:
        commands.install()
        with place.opened() as opened:
            users = {
                data.name: make(opened.connect, data, USER)
                for data in cases.data_sets(sizes, set(names))
            }
            groups = cases.groups(opened, sizes, users)
            print("\n".join(output.heading()))
            for name in names:
                try:
                    done += runner.run_pairs(opened, groups[name], pairs, show)
                except BenchmarkError as error:
                    if name not in OPTIONAL:
                        raise
                    here["notes"][name] = str(error)
                    print(f"{name}: left out, {error}")
    except BenchmarkError as error:
        print(f"benchmarks: {error}", file=sys.stderr)
        return 1
    print("\n".join(output.summary(done)))
    complete = set(names) >= set(NEEDED) and pairs >= PAIRS and sizes == cases.Sizes(ROWS, WRITTEN)
    for path in output.save(done, here, sizes, complete):
        print(f"wrote {path}")
    return 0


def _terminated(*_: object) -> None:
    """Leave by an exception, so that the servers are stopped."""
    sys.exit("benchmarks: ended by SIGTERM")


def show(one: Measurement) -> None:
    print(output.line(one), flush=True)


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(
        prog="python -m benchmarks", description="The loader side by side with what people use."
    )
    top.add_argument(
        "--quick",
        action="store_true",
        help=f"{QUICK_ROWS:,} rows, 1 pair, groups {' and '.join(QUICK_GROUPS)}",
    )
    top.add_argument("--pairs", type=int, metavar="N", help=f"runs of each case (default: {PAIRS})")
    top.add_argument("--rows", type=int, metavar="N", help=f"rows to load (default: {ROWS:,})")
    top.add_argument(
        "--cases", nargs="+", choices=GROUPS, metavar="GROUP", help=f"of {', '.join(GROUPS)}"
    )
    return top


if __name__ == "__main__":
    sys.exit(main())
