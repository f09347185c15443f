"""Versions of the loader and of other packages."""

import re
from importlib import metadata

PACKAGE = "redshift-to-dynamodb"


def package_version() -> str:
    """The version of the installed package; a text that says so if it runs from its sources."""
    try:
        return metadata.version(PACKAGE)
    except metadata.PackageNotFoundError:
        return "not installed as a package"


def version_numbers(version: str) -> list[int]:
    """The numbers of a version, such as [2, 1, 0, 28], to compare it with another one."""
    return [int(number) for number in re.findall(r"\d+", version)]
