"""The image of deploy/docker, built by Docker, or its steps carried out in a folder without it."""

from __future__ import annotations

import glob
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.support.repository import REPOSITORY

DOCKERFILE = "deploy/docker/Dockerfile"
# Steps that change the system; a folder has none.
SYSTEM = "apt-get "
# The index of packages of this machine.
INDEX = f'eval "$({sys.executable} {REPOSITORY}/pip_settings.py)"'
ANSWER = "loader 0.1.0\n"


def problems(checkout: Path, folder: Path) -> Iterator[str]:
    """What is wrong with the image from the checkout, whose dist/ has the wheel."""
    if _has_docker():
        build = ["docker", "build", "--quiet", "--file", DOCKERFILE, "--tag", "loader-recipe", "."]
        subprocess.run(build, cwd=checkout, check=True)
        command = ["docker", "run", "--rm", "loader-recipe", "--version"]
        answer = subprocess.run(command, capture_output=True, text=True, check=False)
    else:
        print("image: no Docker, so its steps run in a folder", file=sys.stderr)
        answer = _steps(checkout, folder)
    if answer.stdout != ANSWER:
        yield f"the image must print {ANSWER.strip()}, got {answer.stdout}{answer.stderr}"


def _has_docker() -> bool:
    """Whether there is the command, and a daemon that answers it."""
    if not (docker := shutil.which("docker")):
        return False
    return subprocess.run([docker, "info"], capture_output=True, check=False).returncode == 0


def _steps(checkout: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    """Carry out COPY, ENV and RUN below the folder, and run the entry point."""
    text = (checkout / DOCKERFILE).read_text().replace("\\\n", " ")
    home = folder / "home"
    home.mkdir(parents=True)
    environment = {**os.environ, "HOME": str(home)}
    environment.pop("PYTHONPATH", None)
    entry = ""
    for line in text.splitlines():
        step, _, rest = line.partition(" ")
        moved = re.sub(r"(?<![\w.])/(?=build\b|opt\b)", f"{folder}/", rest)
        if step == "COPY" and not rest.startswith("--from"):
            *sources, target = moved.split()
            Path(target).mkdir(parents=True, exist_ok=True)
            for source in sources:
                for file in glob.glob(str(checkout / source)):
                    shutil.copy(file, target)
        elif step == "ENV":
            name, _, value = moved.partition("=")
            environment[name] = value.replace("$PATH", environment["PATH"])
        elif step == "RUN" and SYSTEM not in rest:
            command = ["bash", "-euo", "pipefail", "-c", f"{INDEX}; {moved}"]
            subprocess.run(command, env=environment, cwd=home, check=True)
        elif step == "ENTRYPOINT":
            entry = shlex.split(rest.strip("[]").replace(",", " "))[0]
    return subprocess.run(
        [entry, "--version"],
        executable=shutil.which(entry, path=environment["PATH"]),
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
