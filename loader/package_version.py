"""The version of the loader."""

from importlib import metadata

PACKAGE = "redshift-to-dynamodb"


def package_version() -> str:
    """The version of the installed package; a text that says so if it runs from its sources."""
    try:
        return metadata.version(PACKAGE)
    except metadata.PackageNotFoundError:
        return "not installed as a package"
