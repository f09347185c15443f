"""Numpy and pandas are imported when something of them is used, not by who only asks for them.

They take 0.25 and 0.8 CPU seconds in each process, and a load uses nothing of either: pyarrow asks
whether numpy is there and whether a list is one of pandas' types, pyspark for pandas' version.
"""

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import metadata
from types import ModuleType
from typing import Any

PANDAS = "pandas"
NUMPY = "numpy"


@contextmanager
def hidden() -> Iterator[None]:
    """What is imported within does without either; one that is imported already stays."""
    absent = [name for name in (PANDAS, NUMPY) if name not in sys.modules]
    # https://docs.python.org/3/reference/import.html#the-module-cache
    sys.modules.update(dict.fromkeys(absent))  # type: ignore[arg-type]
    try:
        yield
    finally:
        for name in absent:
            del sys.modules[name]


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
    with hidden():
        import pyarrow as pa
        import pyarrow.compute
        import pyarrow.fs

        pa.array([0])  # pyarrow asks for pandas once, with its first list
    try:
        version = metadata.version(PANDAS)
    except metadata.PackageNotFoundError:
        return
    sys.modules[PANDAS] = postponed = _Postponed(PANDAS)
    postponed.__version__ = version  # type: ignore[attr-defined]
