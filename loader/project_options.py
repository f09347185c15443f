"""The options of the dbt project, and of a bundle of it."""

import argparse
from pathlib import Path

from loader.option_types import age, file
from loader.settings import Settings

DEFAULTS = Settings()


def project_options(group: argparse.ArgumentParser) -> None:
    add = group.add_argument
    add(
        "--project-dir",
        type=Path,
        metavar="DIR",
        help="dbt project that declares the exports (default: $DBT_PROJECT_DIR, else this folder "
        f"or one above it, else {DEFAULTS.project_dir})",
    )
    add(
        "--profiles-dir",
        type=Path,
        metavar="DIR",
        help="folder of profiles.yml (default: $DBT_PROFILES_DIR, else this folder, else the "
        "project, else ~/.dbt)",
    )
    add(
        "--profile",
        metavar="NAME",
        help="dbt profile (default: $DBT_PROFILE, else that of the project)",
    )
    add(
        "--target",
        metavar="NAME",
        help="dbt target to read from (default: $DBT_TARGET, else that of the profile)",
    )
    add("--vars", metavar="YAML", help="dbt variables for profiles.yml, such as 'name: value'")


def bundle_options(group: argparse.ArgumentParser) -> None:
    """The project, or a bundle of it."""
    project_options(group)
    group.add_argument(
        "--bundle",
        type=file,
        metavar="FILE",
        help="file or s3:// address that `loader bundle` wrote, to be read instead of the project",
    )


def jdbc_option(group: argparse.ArgumentParser) -> None:
    group.add_argument(
        "--jdbc",
        type=Path,
        metavar="FILE",
        help="JSON file that names another database than Redshift and PostgreSQL (default: that of "
        "the dbt profile)",
    )


def gate_options(group: argparse.ArgumentParser) -> None:
    group.add_argument(
        "--max-gate-age",
        type=age,
        metavar="AGE",
        help="refuse results of dbt's tests that are older, such as 90m, 24h or 7d (default: any "
        "age)",
    )
    group.add_argument(
        "--latest",
        action="store_true",
        help="refuse a dbt build that is older than the newest of the export that is in the "
        "storage",
    )


def making_options(group: argparse.ArgumentParser) -> None:
    """The options of `loader bundle` alone."""
    add = group.add_argument
    add(
        "-o",
        "--output",
        type=file,
        required=True,
        metavar="FILE",
        help="file or s3://bucket/key to write",
    )
    jdbc_option(group)
    add(
        "--secret",
        metavar="ARN",
        help="secret of AWS Secrets Manager that has user and password of the warehouse (default: "
        "the sign-in of the profile)",
    )
    add(
        "--password-env",
        metavar="NAME",
        help="environment variable that will have the password (default: that of the profile)",
    )
    add(
        "--storage",
        metavar="DIR",
        help="storage of the loads, in which the build is recorded for --latest (default: it is "
        "not recorded)",
    )
