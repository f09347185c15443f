"""Paths of this repository."""

import subprocess
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
DBT_PROJECT = REPOSITORY / "dbt_project"


def files_below(folder: Path) -> list[Path]:
    """The files in a folder of the source, without what Python has compiled."""
    files = (path for path in folder.rglob("*") if "__pycache__" not in path.parts)
    return [path for path in files if path.is_file()]


def tracked() -> list[Path]:
    """The files that git knows."""
    command = ["git", "ls-files", "-z"]
    names = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True)
    paths = [REPOSITORY / name for name in names.stdout.split("\0") if name]
    return [path for path in paths if path.is_file()]
