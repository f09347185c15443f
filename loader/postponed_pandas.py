"""Pandas is imported when something of it is used, not by who only asks whether it is there.

It takes 0.8 CPU seconds, and a load uses nothing of it: pyspark asks for its version, pyarrow
whether a list is one of its types.
"""

import importlib
import sys
from importlib import metadata
from importlib.abc import MetaPathFinder
from types import ModuleType
from typing import Any

import pyarrow as pa

PANDAS = "pandas"


class _Hiding(MetaPathFinder):
    def find_spec(self, name: str, path: object, target: object = None) -> None:
        if name == PANDAS:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


class _Postponed(ModuleType):
    """Knows its version; gives way to the module itself when it is asked for more."""

    def __getattr__(self, name: str) -> Any:
        if sys.modules.get(PANDAS) is self:
            del sys.modules[PANDAS]
        return getattr(importlib.import_module(PANDAS), name)


def postpone() -> None:
    """From here on in this process; nothing happens where pandas is imported or not installed."""
    if PANDAS in sys.modules:
        return
    try:
        version = metadata.version(PANDAS)
    except metadata.PackageNotFoundError:
        return
    hiding = _Hiding()
    sys.meta_path.insert(0, hiding)
    pa.array([0])  # pyarrow asks once, with its first list
    sys.meta_path.remove(hiding)
    sys.modules[PANDAS] = postponed = _Postponed(PANDAS)
    postponed.__version__ = version  # type: ignore[attr-defined]
