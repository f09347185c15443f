"""The wheel has the loader with its data files, and nothing else of the repository."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path, PurePosixPath

from loader.package_version import package_version
from tests.support.repository import REPOSITORY, files_below


def files_of(wheel: Path) -> set[str]:
    """The files of the wheel, without its metadata."""
    names = zipfile.ZipFile(wheel).namelist()
    return {name for name in names if not PurePosixPath(name).parts[0].endswith(".dist-info")}


def test_the_wheel_has_every_file_of_the_loader_and_no_other(wheel: Path) -> None:
    names = {str(path.relative_to(REPOSITORY)) for path in files_below(REPOSITORY / "loader")}

    assert files_of(wheel) == names


def test_the_wheel_has_the_prices_the_templates_of_the_report_and_the_driver_of_the_read(
    wheel: Path,
) -> None:
    assert {
        "loader/dynamodb/prices.json",
        "loader/report/templates/macros.html",
        "loader/report/templates/report.html",
        "loader/report/templates/style.css",
        "loader/warehouse/read_driver.jar",
    } <= files_of(wheel)


def test_the_wheel_has_one_command(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        (entry_points,) = (n for n in archive.namelist() if n.endswith("entry_points.txt"))
        text = archive.read(entry_points).decode()

    assert text.split() == ["[console_scripts]", "loader", "=", "loader.cli:main"]


FROM_ARCHIVE = """
import pkgutil
from importlib.metadata import distribution

import loader
from jinja2 import PackageLoader
from loader.dynamodb.prices import read_price
from loader.package_version import PACKAGE, package_version
from loader.warehouse.read_driver import JAR

jar = pkgutil.get_data("loader.warehouse", JAR)
print(loader.__file__, read_price("us-east-1").region, bool(jar))
print(*sorted(PackageLoader("loader.report").list_templates()))
print(distribution(PACKAGE).locate_file(""), package_version())
"""


def test_the_wheel_with_the_name_of_a_zip_is_a_package_for_py_files(
    wheel: Path, tmp_path: Path
) -> None:
    archive = tmp_path / "loader.zip"
    archive.symlink_to(wheel)

    done = subprocess.run(
        [sys.executable, "-c", FROM_ARCHIVE],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(archive)},
        capture_output=True,
        text=True,
        check=True,
    )

    templates = sorted(path.name for path in (REPOSITORY / "loader/report/templates").iterdir())
    assert done.stdout.splitlines() == [
        f"{archive}/loader/__init__.py us-east-1 True",
        " ".join(templates),
        f"{archive}/ {package_version()}",
    ]
