"""The machine and the versions that the numbers were measured with."""

import os
import platform
import re
import subprocess
from datetime import datetime, timezone
from importlib.metadata import version
from pathlib import Path
from typing import Any

from sandbox.settings import REPOSITORY

PACKAGES = ("pyspark", "pyarrow", "boto3")


def facts() -> dict[str, Any]:
    """The machine, its load at the start, the versions, the date and the commit."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {
        "machine": {
            "processor": _processor(),
            "cores": os.cpu_count(),
            "memory_gb": round(memory, 1),
            "system": f"{platform.system()} {platform.release()}",
            "python": platform.python_version(),
            "java": _java(),
            **{package: version(package) for package in PACKAGES},
            "load_average": round(os.getloadavg()[0], 2),
        },
        "date": datetime.now(timezone.utc).strftime("%Y-%m-%d"),
        "commit": _commit(),
    }


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    model = re.search(r"model name\s*: (.*)", info.read_text()) if info.exists() else None
    return model[1] if model else platform.processor()


def _java() -> str:
    process = subprocess.run(["java", "-version"], capture_output=True, text=True, check=False)
    version_ = re.search(r'version "([^"]+)', process.stderr)
    return version_[1] if version_ else "none"


def _commit() -> str:
    """The commit, with `+changes` if files of the loader differ from it."""

    def git(*arguments: str) -> str:
        process = subprocess.run(
            ["git", "--no-optional-locks", "-C", REPOSITORY, *arguments],
            capture_output=True,
            text=True,
            check=False,
        )
        return process.stdout.strip()

    changed = git("status", "--porcelain", "--untracked-files=no", "loader")
    return git("rev-parse", "--short", "HEAD") + ("+changes" if changed else "")
