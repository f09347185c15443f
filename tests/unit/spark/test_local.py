import os
import stat
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

from loader.spark import java, local


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's cache; its path has a blank."""
    cache = tmp_path / "my cache"
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache))
    return cache


def options(monkeypatch: pytest.MonkeyPatch, version: int) -> str:
    monkeypatch.setattr(java, "version", lambda: version)
    return local.archive_options()


def test_an_archive_is_used_whatever_its_path(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    archive = local.archive()
    archive.parent.mkdir(parents=True)
    archive.touch()

    expected = f'-XX:SharedArchiveFile="{archive}" -Xlog:disable -Xlog:all=warning:stderr'
    assert archive.parent == cache / "redshift-to-dynamodb"
    assert [options(monkeypatch, version) for version in (17, 21)] == [expected, expected]


def test_java_17_starts_without_a_missing_archive(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert options(monkeypatch, 17) == ""
    assert not cache.exists()


def test_from_java_19_on_one_of_two_loads_makes_a_missing_archive(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = options(monkeypatch, 19), options(monkeypatch, 19)

    assert first.startswith(f'-XX:+AutoCreateSharedArchive -XX:SharedArchiveFile="{cache}/')
    assert second == ""
    assert stat.S_IMODE((cache / "redshift-to-dynamodb").stat().st_mode) == 0o700


def test_an_archive_that_no_load_has_made_is_tried_again(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options(monkeypatch, 19)
    (claim,) = (cache / "redshift-to-dynamodb").iterdir()
    os.utime(claim, (0, 0))

    assert "AutoCreate" in options(monkeypatch, 19)
    assert options(monkeypatch, 19) == ""


def test_without_a_writable_cache_a_load_starts_without_an_archive(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache.write_text("a file, not a folder")

    assert options(monkeypatch, 21) == ""


def test_an_archive_belongs_to_one_java(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    archive = local.archive()
    monkeypatch.setattr(java, "banner", lambda: 'openjdk version "21"')

    assert local.archive() != archive


@pytest.mark.parametrize("variable", local.ENVIRONMENT_OF_JAVA)
def test_a_collector_that_the_environment_names_stays(
    variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in local.ENVIRONMENT_OF_JAVA:
        monkeypatch.delenv(name, raising=False)
    without = local.java_options()
    monkeypatch.setenv(variable, "-Xss1m -XX:+UseG1GC")

    assert without == f"{local.java_options()} -XX:+UseParallelGC"


def test_packages_that_ivy_has_fetched_are_given_as_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    packages = ["com.amazon.redshift:redshift-jdbc42:2.3.0", "org.postgresql:postgresql:42.7.4"]
    jars = tmp_path / ".ivy2" / "jars"
    jars.mkdir(parents=True)
    files = [
        jars / "com.amazon.redshift_redshift-jdbc42-2.3.0.jar",
        jars / "org.postgresql_postgresql-42.7.4.jar",
    ]
    files[0].touch()
    with_one = local.jar_settings(packages)
    files[1].touch()

    assert with_one == {"spark.jars.packages": ",".join(packages)}
    assert local.jar_settings(packages) == {"spark.jars": f"{files[0]},{files[1]}"}
    assert local.jar_settings([]) == {}


# In a Python of its own, because this one may have imported pandas.
POSTPONED = "import sys; from loader.spark.local import postpone_pandas; postpone_pandas()\n"
IMPORTED = "'pandas.core' in sys.modules"


def printed(code: str) -> str:
    command = [sys.executable, "-c", POSTPONED + code]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.rstrip()


@pytest.mark.parametrize(
    "use",
    [
        pytest.param("import pandas; pandas.__version__", id="its version"),
        pytest.param("import pyarrow; pyarrow.array([1])", id="a list for pyarrow"),
        pytest.param("import loader.plan.task, loader.apply.task", id="the tasks of a run"),
        pytest.param("import loader.run, loader.report.page", id="the driver of a run"),
        pytest.param("import inspect; inspect.getmodule(print)", id="a search of all modules"),
    ],
)
def test_pandas_is_not_imported_by_a_package_that_looks_for_it(use: str) -> None:
    code = f"{use}; import pandas; print(pandas.__version__, {IMPORTED})"

    assert printed(code) == f"{metadata.version('pandas')} False"


def test_a_postponed_pandas_has_its_spec() -> None:
    code = f"import importlib.util as u; print(u.find_spec('pandas').origin[-18:], {IMPORTED})"

    assert printed(code) == "pandas/__init__.py False"


@pytest.mark.parametrize(
    "use",
    [
        pytest.param("import pandas; pandas.DataFrame", id="an attribute"),
        pytest.param("from pandas import DataFrame", id="a name"),
        pytest.param("import pandas.api.types", id="a module"),
        pytest.param("import pyarrow; pyarrow.array([1]).to_pandas()", id="to_pandas"),
    ],
)
def test_pandas_is_imported_when_it_is_used(use: str) -> None:
    assert printed(f"{use}; print(sys.modules['pandas'].__file__ is not None, {IMPORTED})") == (
        "True True"
    )


def test_pyarrow_knows_a_postponed_pandas() -> None:
    code = """
import pandas as pd, pyarrow as pa
series = pd.Series([1.5, None])
print(pa.array(series).null_count, pa.Table.from_pandas(pd.DataFrame({"a": series})).num_rows)
print(pa.array([1, 2]).to_pandas().tolist(), pa.array([1, 2]).to_numpy().tolist())
"""
    assert printed(code) == "1 2\n[1, 2] [1, 2]"


def test_an_imported_pandas_stays() -> None:
    code = "import pandas; pandas.DataFrame; before = sys.modules['pandas']; postpone_pandas()\n"

    assert printed(f"{code}print(sys.modules['pandas'] is before)") == "True"
