"""The wheel that `pip install .` would build."""

import shutil
import subprocess
import sys
from pathlib import Path

from tests.support.repository import REPOSITORY

BUILD = "from setuptools import build_meta; build_meta.build_wheel('dist')"


def build_wheel(folder: Path) -> Path:
    """Build the wheel from a copy of the repository's packages; needs no network."""
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(REPOSITORY / name, folder)
    ignored = shutil.ignore_patterns("__pycache__", "*.parquet")
    for package in ("loader", "sandbox", "benchmarks", "tests"):
        shutil.copytree(REPOSITORY / package, folder / package, ignore=ignored)
    subprocess.run([sys.executable, "-c", BUILD], cwd=folder, capture_output=True, check=True)
    (wheel,) = (folder / "dist").glob("*.whl")
    return wheel
