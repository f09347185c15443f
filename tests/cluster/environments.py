"""Virtual environments of drivers and executors, made by uv from pinned versions.

The packages come from uv's cache by hard links, so that an environment takes a second and little
space if its folder is on the disk of the cache.
"""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path

from pip_settings import uv_settings
from tests.support.repository import REPOSITORY

UV = REPOSITORY / ".venv" / "bin" / "uv"


@dataclass(frozen=True)
class Environment:
    """A virtual environment with pyspark in it."""

    folder: Path

    @property
    def python(self) -> Path:
        return self.folder / "bin" / "python"

    @property
    def packages(self) -> Path:
        (folder,) = self.folder.glob("lib/python3.*/site-packages")
        return folder

    @property
    def spark_home(self) -> Path:
        return self.packages / "pyspark"

    @property
    def spark_version(self) -> str:
        (info,) = self.packages.glob("pyspark-*.dist-info")
        return info.name.removesuffix(".dist-info").partition("-")[2]

    @property
    def search_path(self) -> str:
        """A PATH whose `python3` is this environment's."""
        return f"{self.folder / 'bin'}:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"


def create(folder: Path, requirements: Path, *wheels: Path, python: str = "") -> Environment:
    """An environment with the pinned packages, and wheels without what they depend on.

    `python` is a version or a program; the default is the version of this process.
    """
    python = python or f"{sys.version_info.major}.{sys.version_info.minor}"
    if python == f"{sys.version_info.major}.{sys.version_info.minor}":
        python = sys._base_executable  # type: ignore[attr-defined]
    uv("venv", "--python", python, str(folder))
    environment = Environment(folder)
    target = ("--python", str(environment.python))
    uv("pip", "sync", *target, "--require-hashes", str(requirements))
    if wheels:
        uv("pip", "install", *target, "--no-deps", *map(str, wheels))
    return environment


def add_packages_of_this_process(environment: Environment) -> None:
    """Let the environment import what this process has and it has not, such as dbt."""
    path = sysconfig.get_path("purelib")
    (environment.packages / "driver.pth").write_text(f"{path}\n")


def uv(*arguments: str) -> None:
    """Run uv with the index of pip; raise RuntimeError with its output if it fails."""
    done = subprocess.run(
        [str(UV), *arguments, "--quiet"],
        env=os.environ | uv_settings(),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"cannot run uv {' '.join(arguments)}: {done.stderr.strip()}")
