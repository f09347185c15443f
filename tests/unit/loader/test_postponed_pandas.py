"""Each in a Python of its own: what is imported in this one, others have imported."""

import subprocess
import sys
from importlib import metadata

import pytest

POSTPONED = """
import sys
from loader.postponed_pandas import postpone
postpone()
import pandas
"""
IMPORTED = "'pandas.core' in sys.modules"


def printed(code: str) -> str:
    command = [sys.executable, "-c", POSTPONED + code]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.rstrip()


@pytest.mark.parametrize(
    "asked",
    [
        pytest.param("pandas.__version__", id="its version"),
        pytest.param("__import__('pyarrow').array([1])", id="a list for pyarrow"),
        pytest.param("__import__('pyspark.testing.utils')", id="whether pyspark may test with it"),
    ],
)
def test_who_asks_whether_pandas_is_there_does_not_import_it(asked: str) -> None:
    assert printed(f"{asked}; print(pandas.__version__, {IMPORTED})") == (
        f"{metadata.version('pandas')} False"
    )


@pytest.mark.parametrize(
    "use",
    [
        pytest.param("pandas.DataFrame", id="an attribute"),
        pytest.param("from pandas import DataFrame", id="a name"),
        pytest.param("import pandas.api.types", id="a module within"),
        pytest.param("__import__('pyarrow').table({'a': [1]}).to_pandas()", id="by pyarrow"),
    ],
)
def test_what_is_used_of_pandas_is_pandas(use: str) -> None:
    assert printed(f"{use}; print(sys.modules['pandas'].__file__ is not None, {IMPORTED})") == (
        "True True"
    )


def test_an_imported_pandas_stays() -> None:
    code = f"pandas.DataFrame; before = sys.modules['pandas']; postpone(); {IMPORTED}; "

    assert printed(f"{code}print(sys.modules['pandas'] is before)") == "True"
