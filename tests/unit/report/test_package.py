import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

from tests.support.example_report import COMPLETE

SHOW = """import json, sys
from loader.report import page
print(page.__file__)
print(page.page(json.load(sys.stdin)))"""


def test_the_page_is_made_from_the_files_of_a_wheel(wheel: Path, tmp_path: Path) -> None:
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
