"""Carry out the recipes of docs/run-on-aws.md on this machine; exit with 1 unless all work."""

from __future__ import annotations

import argparse
import json
import re
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from sandbox import Sandbox
from tests.cluster.network import missing
from tests.recipes import artifacts, image, submit
from tests.recipes.services import RECIPES, Recipe, running
from tests.support.repository import REPOSITORY
from tests.support.sandboxes import running_sandbox

REPORT = REPOSITORY / "reports" / "recipes.json"
PYTHON = "3.11"
IMAGE = "image"


def main() -> int:
    chosen = _parser().parse_args().recipe
    if reason := missing():
        print(f"recipes: skipped, {reason}", file=sys.stderr)
        return 0
    rows = []
    with tempfile.TemporaryDirectory(prefix="recipes-", dir="/var/tmp") as name:
        folder = Path(name)
        started = time.monotonic()
        files = artifacts.build(folder, PYTHON)
        print(f"deploy/build.sh: {time.monotonic() - started:.0f} s", file=sys.stderr)
        with running_sandbox(folder / "sandbox") as sandbox:
            for recipe in RECIPES:
                if recipe.name in chosen or not chosen:
                    started = time.monotonic()
                    problems = list(_problems(recipe, sandbox, files, folder / recipe.name))
                    row = {"recipe": recipe.name, "spark": recipe.spark, "python": PYTHON}
                    rows.append({**row, "works": not problems, "problems": problems})
                    took = f"{time.monotonic() - started:.0f} s"
                    print(f"{recipe.name}, Spark {recipe.spark}: {problems or 'ok'}, {took}")
        if IMAGE in chosen or not chosen:
            started = time.monotonic()
            problems = list(image.problems(folder / "checkout", folder / IMAGE))
            rows.append({"recipe": IMAGE, "works": not problems, "problems": problems})
            print(f"{IMAGE}: {problems or 'ok'}, {time.monotonic() - started:.0f} s")
    REPORT.parent.mkdir(exist_ok=True)
    REPORT.write_text(json.dumps(rows, indent=1) + "\n")
    return 0 if all(row["works"] for row in rows) else 1


def _problems(
    recipe: Recipe, sandbox: Sandbox, files: artifacts.Artifacts, folder: Path
) -> Iterator[str]:
    """What a first load, a load of changes, and a load of an export that is missing do wrong."""
    with running(recipe, sandbox, files, folder) as (world, job):
        for load in ("the first load", "the load of changes"):
            outcome = job.run()
            if outcome.code:
                yield f"{load} must end with 0, got {outcome.code}: {outcome.output[-4000:]}"
            elif world.items() != world.model():
                yield f"{load} must leave the items of the model, got others"
            world.change_model()
        outcome = job.run("--export", "missing")
        if not outcome.code:
            yield "a load of an export that is missing must fail, got exit code 0"
        elif not re.search(_message(recipe), outcome.output):
            yield f"a failed load must print its problem, got {outcome.output[-4000:]}"


def _message(recipe: Recipe) -> str:
    """What a load of an export that is missing prints; Glue shows the error of the script."""
    return "LoadFailed: exit code 2: .*missing" if recipe.read is submit.glue else "missing"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.recipes", description=__doc__)
    names = [recipe.name for recipe in RECIPES] + [IMAGE]
    parser.add_argument("recipe", nargs="*", metavar="NAME", help=f"one of {', '.join(names)}")
    return parser


if __name__ == "__main__":
    sys.exit(main())
