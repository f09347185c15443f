"""Each in a Python of its own: what is imported in this one, others have imported."""

import subprocess
import sys
from importlib import metadata

import pytest

POSTPONED = """
import sys
from loader.spark.postponed_imports import postpone, without_numpy
postpone()
"""
WITH_PANDAS = f"{POSTPONED}import pandas; "
IMPORTED = "'pandas.core' in sys.modules"


def printed(code: str) -> str:
    command = [sys.executable, "-c", code]
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
    assert printed(f"{WITH_PANDAS}{asked}; print(pandas.__version__, {IMPORTED})") == (
        f"{metadata.version('pandas')} False"
    )


@pytest.mark.parametrize(
    "use",
    [
        pytest.param("pandas.DataFrame", id="an attribute"),
        pytest.param("from pandas import DataFrame", id="a name"),
        pytest.param("import pandas.api.types", id="a module within"),
    ],
)
def test_what_is_used_of_pandas_is_pandas(use: str) -> None:
    code = f"{WITH_PANDAS}{use}; print(sys.modules['pandas'].__file__ is not None, {IMPORTED})"

    assert printed(code) == "True True"


def test_an_imported_pandas_stays() -> None:
    code = (
        f"{WITH_PANDAS}pandas.DataFrame; before = sys.modules['pandas']; postpone(); {IMPORTED}; "
    )

    assert printed(f"{code}print(sys.modules['pandas'] is before)") == "True"


@pytest.mark.parametrize(
    "use",
    [
        pytest.param("import pyarrow, pyarrow.compute, pyarrow.fs", id="pyarrow"),
        pytest.param("import loader.plan.task, loader.apply.task", id="what a worker runs"),
        pytest.param("with without_numpy(): import pyspark.testing.utils", id="pyspark, told so"),
    ],
)
def test_who_asks_whether_numpy_is_there_does_not_import_it(use: str) -> None:
    assert printed(f"{POSTPONED}{use}\nprint('numpy' in sys.modules)") == "False"


def test_what_was_hidden_can_be_imported() -> None:
    code = "with without_numpy():\n  import pyspark.testing.utils\n"

    assert printed(f"{POSTPONED}{code}import numpy; print(numpy.add(1, 2))") == "3"


def test_an_imported_numpy_is_not_hidden() -> None:
    code = "import numpy\nwith without_numpy():\n  import numpy as found\nprint(found is numpy)"

    assert printed(POSTPONED + code) == "True"


def test_a_process_that_has_numpy_already_does_without_pandas_alone() -> None:
    code = "import sys, numpy\nfrom loader.spark.postponed_imports import postpone\npostpone()\n"

    assert (
        printed(f"{code}import pandas; print({IMPORTED}, 'numpy' in sys.modules)") == "False True"
    )
