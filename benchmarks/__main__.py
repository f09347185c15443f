"""python -m benchmarks [--quick] [--pairs N] [--rows N] [--keys N] [--cases GROUP …]"""

import argparse
import signal
import sys
from collections.abc import Sequence
from dataclasses import replace

from benchmarks import cases, commands, machine, night, output, runner, services
from benchmarks.cases import Sizes
from benchmarks.data import create
from benchmarks.errors import BenchmarkError, Unavailable
from benchmarks.measurements import Measurement
from benchmarks.sections import FULL, SECTIONS
from sandbox.settings import USER

GROUPS = tuple(group for section in SECTIONS for group in (*section.groups, *section.optional))
QUICK_GROUPS = ("load", "write", "nightly")
# Groups that need Maven and a JDK; without them the result has a note.
OPTIONAL = ("emr",)
# Groups that run once: their numbers are sizes and times of one program.
ONCE = ("keys",)
# Groups that run only when they are named: a pair takes a quarter of an hour.
NAMED = ("cluster",)
QUICK = Sizes(500_000, 20_000, nightly=200_000, keys=200_000, cluster=600_000)
PAIRS = 5


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the chosen groups and return the exit code."""
    options = parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, _exit)
    sizes = _sizes(options)
    pairs = options.pairs or (1 if options.quick else PAIRS)
    groups = QUICK_GROUPS if options.quick else [group for group in GROUPS if group not in NAMED]
    names = options.cases or list(groups)
    facts = machine.facts() | {"notes": {}}
    results: dict[str, list[Measurement]] = {}
    code = 0
    try:
        commands.install()
        with services.running() as running:
            users = {}
            for data in cases.data_sets(sizes, set(names)):
                users[data.name] = create(running.connect, data, USER)
                night.restore(running.connect, data)  # a killed run left the model changed
            of_group = cases.groups(running, sizes, users)
            print("\n".join(output.heading()))
            for name in names:
                rounds = 1 if name in ONCE else pairs
                try:
                    results[name] = runner.run_pairs(running, of_group[name], rounds, show)
                except BenchmarkError as error:
                    if name not in OPTIONAL and not isinstance(error, Unavailable):
                        raise
                    facts["notes"][name] = str(error)
                    print(f"{name}: skipped, {error}")
    except BenchmarkError as error:
        print(f"benchmarks: {error}", file=sys.stderr)
        code = 1
    print("\n".join(output.summary([m for group in results.values() for m in group])))
    for path in output.save(results, facts, sizes, pairs):
        print(f"wrote {path}")
    return code


def _sizes(options: argparse.Namespace) -> Sizes:
    sizes = QUICK if options.quick else FULL
    if options.rows:
        sizes = replace(sizes, rows=options.rows, nightly=options.rows, cluster=options.rows)
    return replace(sizes, keys=options.keys) if options.keys else sizes


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
        help=f"{QUICK.rows:,} rows ({QUICK.nightly:,} in the group nightly), 1 pair, groups "
        f"{', '.join(QUICK_GROUPS)}",
    )
    top.add_argument("--pairs", type=int, metavar="N", help=f"runs of each case (default: {PAIRS})")
    top.add_argument("--rows", type=int, metavar="N", help=f"rows to load (default: {FULL.rows:,})")
    top.add_argument(
        "--keys",
        type=int,
        metavar="N",
        help=f"keys of the group keys (default: {FULL.keys:,})",
    )
    top.add_argument(
        "--cases",
        nargs="+",
        choices=GROUPS,
        metavar="GROUP",
        help=f"groups to run: {', '.join(GROUPS)} (default: all but {', '.join(NAMED)})",
    )
    return top


if __name__ == "__main__":
    sys.exit(main())
