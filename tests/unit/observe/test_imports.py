"""A load that sends nothing imports nothing for it."""

import subprocess
import sys
from pathlib import Path

PROGRAM = """
import sys
from loader import cli
code = cli.main(sys.argv[1:])
heavy = ("opentelemetry.sdk", "opentelemetry.exporter", "loader.observe.", "loader.run")
print(code, *sorted(name for name in sys.modules if name.startswith(heavy)))
"""
LIGHT = ["loader.observe.channels", "loader.observe.options", "loader.observe.outcomes"]


def modules_of(folder: Path, *options: str) -> list[str]:
    command = ["load", "--project-dir", str(folder / "none"), *options]
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *command],
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.splitlines()[-1].split()


def test_a_load_that_sends_nothing_imports_nothing_for_it(tmp_path: Path) -> None:
    assert modules_of(tmp_path) == ["2", *LIGHT, "loader.run"]
