"""Write at a limited pace, and measure it; exit with 1 unless all rules hold."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from sandbox.capacity.process import running
from tests.pace.cases import CASES, Case, Played, play
from tests.pace.plot import svg
from tests.pace.result import Result, loader_uses, other_uses
from tests.pace.table import lines, write_table
from tests.pace.world import CaseFailed, World
from tests.support.case_results import write_report
from tests.support.repository import REPOSITORY
from tests.support.sandboxes import running_sandbox

REPORTS = REPOSITORY / "reports"
PAGE = REPOSITORY / "docs" / "performance.md"


def main() -> int:
    options = _parser().parse_args()
    chosen = [case for case in CASES if not options.case or case.name in options.case]
    plots = REPORTS / "pace"
    plots.mkdir(parents=True, exist_ok=True)
    with _world() as world:
        results = list(_play(world, chosen, plots))
    report = plots.with_suffix(".json")
    write_report(report, (result.row for result in results))
    print("\n".join(lines(results)))
    if chosen == list(CASES):
        write_table(PAGE, [case.event for case in chosen], results)
    red = sum(bool(result.broken) for result in results)
    print(f"{len(results) - red} of {len(results)} hold: {report}, plots in {plots}")
    return 1 if red else 0


def _play(world: World, chosen: Sequence[Case], plots: Path) -> Iterator[Result]:
    for case in chosen:
        started = time.monotonic()
        try:
            played = play(world, case)
        except CaseFailed as error:
            result = Result(case.name, case.rule, problem=str(error))
        else:
            result = played.result
            (plots / f"{case.name}.svg").write_text(_plot(case, played))
        verdict = f"RED {'; '.join(result.broken)}" if result.broken else "ok"
        took = time.monotonic() - started
        print(
            f"{case.name}: {verdict}, {result.seconds:.1f} s of writing, {took:.0f} s in all",
            file=sys.stderr,
        )
        if result.reasons:
            print(f"  refused items: {result.reasons}", file=sys.stderr)
        yield result


def _plot(case: Case, played: Played) -> str:
    uses, others = (find(played.record, case.measured) for find in (loader_uses, other_uses))
    return svg(case.name, uses, others, played.steps)


@contextmanager
def _world() -> Iterator[World]:
    """A sandbox on free ports, and the proxy in front of its emulator."""
    with tempfile.TemporaryDirectory(prefix="pace-") as folder, ExitStack() as stack:
        sandbox = stack.enter_context(running_sandbox(Path(folder) / "sandbox"))
        proxy = stack.enter_context(running(sandbox.settings.dynamodb_port))
        yield World(sandbox, proxy, Path(folder))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="make pace", description=__doc__)
    names = [case.name for case in CASES]
    parser.add_argument(
        "--case", nargs="+", choices=names, metavar="NAME", help=f"only these of {', '.join(names)}"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
