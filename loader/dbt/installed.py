"""Whether dbt is installed: it is an extra, which a run with a bundle does not need."""

from importlib.util import find_spec

from loader.errors import Refused

MODULES = ("dbt", "yaml")


def require_dbt() -> None:
    """Raise `Refused` in an installation without the extra."""
    if missing := [name for name in MODULES if find_spec(name) is None]:
        raise Refused(
            f"a dbt project must be read by an installation with dbt, got one without "
            f"{' and '.join(missing)}: install the wheel of `make package` with the extra dbt, or "
            "give a bundle of the project with --bundle"
        )
