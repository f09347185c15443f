"""What holds for all files of the repository."""

import re

from loader.spark.java import JAVA_LEAST
from loader.warehouse.connection import DRIVERS
from tests.support.repository import REPOSITORY, tracked

HOSTS = r"\b(?:[\w-]+\.)*(?:pypi|pythonhosted|npmjs|maven|crates)\.(?:org|com|io)\b"
MAVEN = r"\b(?:repo1?\.maven\.apache\.org|maven-central\.\S+)\b"
MACHINE = r"(?<![\w.$}~*-])/(?:root|work|home/\w+|Users/\w+)/[\w.-]+"
PINNED = ("constraints.txt", "bootstrap.txt", "requirements.txt")


def test_no_file_names_a_package_registry_or_a_path_of_one_machine() -> None:
    names = []
    for path in tracked():
        pattern = f"{HOSTS}|{MAVEN}|{MACHINE}" + ("|://" if path.name in PINNED else "")
        text = path.read_bytes().decode(errors="replace")
        names += [(path.name, match[0]) for match in re.finditer(pattern, text)]

    assert names == []


def test_the_versions_on_the_pages_are_those_of_the_code() -> None:
    project = (REPOSITORY / "pyproject.toml").read_text()
    text = "\n".join(path.read_text() for path in tracked() if path.suffix == ".md")

    def versions(pattern: str) -> list[str]:
        return sorted(set(re.findall(pattern, text)))

    (least, beyond) = re.findall(r'python = ">=3\.(\d+),<3\.(\d+)"', project)[0]
    assert versions(r"Python (3\.\d+ to 3\.\d+)") == [f"3.{least} to 3.{int(beyond) - 1}"]
    # The JVM makes the archive of classes from Java 19 on.
    assert versions(r"Java (\d+) (?:or|and) later") == [str(JAVA_LEAST), "19"]
    assert versions(r"[\w.]+:redshift-jdbc42:[\d.]+\d") == [DRIVERS["redshift"].package]


def test_the_changelog_has_the_sections_of_keep_a_changelog() -> None:
    headings = re.findall(r"^##+ (.*)", (REPOSITORY / "CHANGELOG.md").read_text(), re.MULTILINE)

    assert headings == ["[Unreleased]", "Added", "Changed", "Removed", "Fixed"]


def test_tests_import_code_of_other_tests_only_from_support_and_the_harnesses() -> None:
    """Except for the tests of the storage, which run on S3 once more."""
    tests = [path for path in tracked() if path.match("test_*.py") or path.name == "conftest.py"]
    tests = [path for path in tests if not path.match("tests/integration/storages/*")]
    other = re.compile(
        r"^(?:from|import) tests\.(?!support|faults|crash|pace|cluster).*", re.MULTILINE
    )

    assert [(path.name, line) for path in tests for line in other.findall(path.read_text())] == []


def test_the_ratios_in_the_readme_are_those_of_the_last_benchmark() -> None:
    page = (REPOSITORY / "docs" / "performance.md").read_text()
    readme = (REPOSITORY / "README.md").read_text()

    ratios = dict(re.findall(r"^\| `(\w+)` .*\*\*(1/[\d.]+)\*\*", page, re.MULTILINE))

    named = ("full_cpu_usual", "full_wall_usual", "cpu_usual", "wall_usual", "units_usual")
    assert re.findall(r"1/\d+\.\d", readme) == [ratios[name] for name in named]
