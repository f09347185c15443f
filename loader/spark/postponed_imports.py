"""Numpy and pandas are imported when something of them is used, not by who only asks for them.

They take 0.25 and 0.8 CPU seconds in each process, and a load uses nothing of either: pyarrow asks
whether numpy is there and whether a list is one of pandas' types, pyspark for pandas' version.
"""

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import metadata
from importlib.abc import MetaPathFinder
from types import ModuleType
from typing import Any

PANDAS = "pandas"
NUMPY = "numpy"


class _Hiding(MetaPathFinder):
    """For pyarrow, which imports: Cython takes a None in sys.modules for the module."""

    def find_spec(self, name: str, path: object, target: object = None) -> None:
        if name in (PANDAS, NUMPY):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


@contextmanager
def without_numpy() -> Iterator[None]:
    """Who looks within whether numpy is there finds that it is not, if it is not imported yet."""
    if NUMPY in sys.modules:
        yield
        return
    # pyspark asks importlib.util.find_spec, which passes a finder's error on and takes None for no:
    # https://docs.python.org/3/library/importlib.html#importlib.util.find_spec
    sys.modules[NUMPY] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        del sys.modules[NUMPY]


class _Postponed(ModuleType):
    """Knows its version; gives way to the module itself when it is asked for more."""

    def __getattr__(self, name: str) -> Any:
        if sys.modules.get(PANDAS) is self:
            del sys.modules[PANDAS]
        return getattr(importlib.import_module(PANDAS), name)


def postpone() -> None:
    """From here on in this process; call it before anything imports pyarrow.

    A pyarrow that is imported by this knows no numpy array, whoever asks it later. Nothing happens
    to what is imported already or is not installed.
    """
    if PANDAS in sys.modules:
        return
    hiding = _Hiding()
    sys.meta_path.insert(0, hiding)
    try:
        import pyarrow as pa
        import pyarrow.compute
        import pyarrow.fs

        pa.array([0])  # pyarrow asks for pandas once, with its first list
    finally:
        sys.meta_path.remove(hiding)
    try:
        version = metadata.version(PANDAS)
    except metadata.PackageNotFoundError:
        return
    sys.modules[PANDAS] = postponed = _Postponed(PANDAS)
    postponed.__version__ = version  # type: ignore[attr-defined]
