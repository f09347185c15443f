"""The files of a recipe on S3: what deploy/build.sh makes, the script and the JDBC driver."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from loader.spark.jars import fetched_jars
from loader.warehouse.connection import DRIVERS
from tests.support.repository import REPOSITORY
from tests.support.wheels import build_wheel

# What a Python for an archive does not need.
UNNEEDED = shutil.ignore_patterns(
    "__pycache__", "site-packages", "test", "tests", "idlelib", "tkinter", "share", "include",
    "*.a", "ensurepip/_bundled",
)  # fmt: skip


@dataclass(frozen=True)
class Artifacts:
    """The local files for names below `s3://example-bucket/loader/`."""

    folder: Path

    def file(self, address: str) -> str:
        """The file for an address of a recipe; `#environment` stays at its end."""
        name, mark, alias = address.rpartition("/")[2].partition("#")
        file = self.folder / name
        if not file.is_file():
            raise FileNotFoundError(f"a recipe must name files that exist, got {address}")
        return f"{file}{mark}{alias}"


def build(folder: Path, python: str) -> Artifacts:
    """Run deploy/build.sh on a copy of what it needs, with this version of Python."""
    checkout = folder / "checkout"
    shutil.copytree(REPOSITORY / "deploy", checkout / "deploy")
    for name in ("bootstrap.txt", "constraints.txt", "pip_settings.py"):
        shutil.copy(REPOSITORY / name, checkout)
    (checkout / ".venv").symlink_to(REPOSITORY / ".venv")
    source = folder / "source"
    source.mkdir()
    (checkout / "dist").mkdir()
    shutil.copy(build_wheel(source), checkout / "dist")
    command = ["deploy/build.sh", python, str(folder)]
    environment = os.environ | python_home(folder, python)
    subprocess.run(command, cwd=checkout, env=environment, check=True)
    shutil.copy(REPOSITORY / "deploy" / "load.py", folder)
    driver = DRIVERS["redshift"]
    (jar,) = fetched_jars([driver], {}, folder) or []
    shutil.copy(jar, folder / f"{driver.package.split(':', 1)[1].replace(':', '-')}.jar")
    return Artifacts(folder)


def python_home(folder: Path, version: str) -> dict[str, str]:
    """PYTHON_HOME for build.sh: a copy of this machine's Python that works in any folder.

    Without network uv cannot fetch one. A Python with a shared library finds it next to itself.
    """
    program = find_python(version)
    prefix, copy = program.parent.parent, folder / "python"
    shutil.copytree(prefix / "lib", copy / "lib", ignore=UNNEEDED, symlinks=True)
    (copy / "bin").mkdir()
    name = f"python{version}"
    # The same length, so that nothing else in the file moves.
    old = f"{prefix}/lib".encode()
    new = b"$ORIGIN/../lib"
    content = program.read_bytes()
    assert len(new) <= len(old), "the path of this Python is too short to be replaced"
    (copy / "bin" / name).write_bytes(content.replace(old + b"\0", new.ljust(len(old) + 1, b"\0")))
    (copy / "bin" / name).chmod(0o755)
    (copy / "bin" / "python3").symlink_to(name)
    return {"PYTHON_HOME": str(copy)}


def find_python(version: str) -> Path:
    """This version of Python if the machine has it, else the Python of this process."""
    if sys.version_info[:2] == tuple(map(int, version.split("."))):
        return Path(sys.executable).resolve()
    find = [str(REPOSITORY / ".venv/bin/uv"), "python", "find", "--system", version]
    done = subprocess.run(find, capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return Path(done.stdout.strip()).resolve()
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"), "versions")
    programs = sorted(pyenv.glob(f"{version}.*/bin/python3"))
    return Path(programs[-1] if programs else sys.executable).resolve()
