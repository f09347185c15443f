import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

from tests.support.example_report import COMPLETE
from tests.support.repository import REPOSITORY

BUILD = "from setuptools import build_meta; print(build_meta.build_wheel('dist'))"
SHOW = """import json, sys
from loader.report import page
print(page.__file__)
print(page.page(json.load(sys.stdin)))"""


def test_the_page_is_made_from_the_files_of_a_wheel(tmp_path: Path) -> None:
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(REPOSITORY / name, tmp_path)
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(REPOSITORY / "loader", tmp_path / "loader", ignore=ignored)
    command = [sys.executable, "-c", BUILD]
    subprocess.run(command, cwd=tmp_path, capture_output=True, check=True)
    (wheel,) = (tmp_path / "dist").glob("*.whl")
    installed = tmp_path / "installed"
    zipfile.ZipFile(wheel).extractall(installed)

    result = subprocess.run(
        [sys.executable, "-c", SHOW],
        input=json.dumps(COMPLETE.to_dict()),
        cwd=installed,
        env={**os.environ, "PYTHONPATH": str(installed)},
        capture_output=True, text=True, check=True,
    )  # fmt: skip

    place, _, html = result.stdout.partition("\n")
    assert Path(place).is_relative_to(installed)
    assert "user_items is complete" in html
    assert "--good-back" in html
