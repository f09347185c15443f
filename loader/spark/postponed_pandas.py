"""pandas, imported when it is used and not when pyarrow or pyspark looks for it."""

import importlib
import importlib.util
import sys
from importlib.abc import MetaPathFinder
from importlib.metadata import version
from types import ModuleType
from typing import Any


class _HiddenPandas(MetaPathFinder):
    def find_spec(self, name: str, path: object, target: object = None) -> None:
        if name == "pandas":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


class _PostponedPandas(ModuleType):
    """Has the version of pandas; the use of any other attribute imports pandas."""

    def __getattr__(self, name: str) -> Any:
        if sys.modules.get("pandas") is self:
            import pyarrow as pa

            del sys.modules["pandas"]
            importlib.import_module("pandas")
            pa.array([0]).to_pandas()  # pyarrow looks for pandas again
        return getattr(importlib.import_module("pandas"), name)


def postpone_pandas() -> None:
    """Import pandas when this process uses it, not when pyarrow or pyspark looks for it.

    Importing it takes 0.35 CPU seconds, once in the driver and once for all workers. A pandas that
    is imported already, or is not installed, stays as it is.
    """
    spec = importlib.util.find_spec("pandas")
    if "pandas" in sys.modules or spec is None:
        return
    hidden = _HiddenPandas()
    sys.meta_path.insert(0, hidden)
    try:
        import pyarrow as pa

        pa.array([0])  # pyarrow looks for pandas with its first list
    finally:
        sys.meta_path.remove(hidden)
    postponed = _PostponedPandas("pandas")
    postponed.__spec__ = spec
    postponed.__file__ = spec.origin  # `inspect` looks for the file of every module
    postponed.__version__ = version("pandas")  # type: ignore[attr-defined]
    sys.modules["pandas"] = postponed
