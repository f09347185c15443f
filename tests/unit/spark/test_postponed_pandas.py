import subprocess
import sys
from importlib import metadata

import pytest

# In a Python of its own, because this one may have imported pandas.
POSTPONED = (
    "import sys; from loader.spark.postponed_pandas import postpone_pandas; postpone_pandas()\n"
)
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
