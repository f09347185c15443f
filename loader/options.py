"""The options of the commands; docs/reference/options.md is generated from them."""

import argparse
import re
from collections.abc import Callable
from pathlib import Path

from loader.age_limit import AgeLimit, age_limit
from loader.capacity_setting import CapacitySetting, capacity_setting
from loader.change_limit import ChangeLimit, change_limit
from loader.settings import Settings

DEFAULTS = Settings()
FILE = re.compile(r"s3://[^/]+/(.*[^/])|(?![A-Za-z0-9]+:/).*[^/]", re.DOTALL)


def _property(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name.startswith("spark."):
        raise argparse.ArgumentTypeError(f"must be spark.name=value, got {name}")
    return name, value


def _limit(text: str) -> ChangeLimit:
    try:
        return change_limit(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def capacity(text: str) -> CapacitySetting:
    try:
        return capacity_setting(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _age(text: str) -> AgeLimit:
    try:
        return age_limit(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _file(text: str) -> str:
    if FILE.fullmatch(text):
        return text
    raise argparse.ArgumentTypeError(f"must be a file or s3://bucket/key, got {text}")


def _share(text: str) -> float:
    """`5%` as 0.05."""
    try:
        share = float(text.removesuffix("%")) / 100 if text.endswith("%") else 0.0
    except ValueError:
        share = 0.0
    if not 0 < share < 1:
        raise argparse.ArgumentTypeError(f"must be above 0% and below 100%, got {text}: give 5%")
    return share


class Version(argparse.Action):
    """Print the version, which is looked up only then."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from importlib.metadata import version

        print(f"loader {version('redshift-to-dynamodb')}")
        parser.exit()


def option_group(
    add_options: Callable[[argparse.ArgumentParser], None],
) -> argparse.ArgumentParser:
    """Options that several commands share."""
    group = argparse.ArgumentParser(add_help=False)
    add_options(group)
    return group


def common_options(group: argparse.ArgumentParser) -> None:
    add = group.add_argument
    add("--debug", action="store_true", help="show the traceback of an error")
    add(
        "--allow-plain-http",
        action="store_true",
        help="allow requests to http:// endpoints on other machines",
    )


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
        type=_file,
        metavar="FILE",
        help="file or s3:// address that `loader bundle` wrote, to be read instead of the project",
    )


def gate_options(group: argparse.ArgumentParser) -> None:
    group.add_argument(
        "--max-gate-age",
        type=_age,
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
        type=_file,
        required=True,
        metavar="FILE",
        help="file or s3://bucket/key to write",
    )
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


def json_options(group: argparse.ArgumentParser) -> None:
    group.add_argument(
        "--json", action="store_true", help="print the results as JSON, one line per export"
    )


def reject_options(group: argparse.ArgumentParser) -> None:
    group.add_argument(
        "--max-rejects",
        type=int,
        default=DEFAULTS.max_rejects,
        metavar="N",
        help="accept a run with at most N rejected rows and items (default: %(default)s)",
    )


def guard_options(group: argparse.ArgumentParser) -> None:
    add = group.add_argument
    add(
        "--min-rows",
        type=int,
        metavar="N",
        help="refuse a model with fewer rows (default: min_rows of the exposure, else 1)",
    )
    add(
        "--max-deletes",
        type=_limit,
        metavar="LIMIT",
        help="refuse to delete more of the table's keys than a share, a number or both, such as "
        "'10%%,500' (default: max_deletes of the exposure, else 10%%)",
    )
    add(
        "--max-changes",
        type=_limit,
        metavar="LIMIT",
        help="refuse to change or delete more of the table's keys; new keys do not count "
        "(default: max_changes of the exposure, else no limit)",
    )
    add(
        "--allow-deletes",
        type=int,
        metavar="N",
        help="let exactly N deletes pass --max-deletes, this time",
    )
    add(
        "--allow-changes",
        type=int,
        metavar="N",
        help="let exactly N changes and deletes pass --max-changes, this time",
    )


def scan_options(group: argparse.ArgumentParser) -> None:
    group.add_argument(
        "--read-capacity",
        type=capacity,
        metavar="UNITS",
        help="read units of the table per second, at most: a number, a share as 50%% or max "
        "(default: read_capacity of the exposure, else 50%%)",
    )
    table_options(group)
    pace_options(group)
    retry_options(group)
    spark_options(group)


def verify_options(group: argparse.ArgumentParser) -> None:
    add = group.add_argument
    add(
        "--against",
        choices=("model", "state"),
        default="model",
        help="what the table is compared with; the state needs no warehouse (default: %(default)s)",
    )
    add(
        "--sample",
        type=_share,
        metavar="SHARE",
        help="read only a share of the keys, such as 5%% (default: all of them)",
    )


def warehouse_options(group: argparse.ArgumentParser) -> None:
    """The options of the commands that read the warehouse."""
    add = group.add_argument
    add(
        "--jdbc",
        type=Path,
        metavar="FILE",
        help="JSON file that names another database than Redshift and PostgreSQL (default: that of "
        "the dbt profile)",
    )
    add(
        "--secret",
        metavar="ARN",
        help="secret of AWS Secrets Manager with username and password of the warehouse, by its "
        "ARN or name (default: user and password of the dbt profile)",
    )
    add(
        "--queries",
        type=int,
        default=DEFAULTS.queries,
        metavar="N",
        help="queries that the warehouse runs at the same time (default: one per CPU, on a cluster "
        "one per task slot; at most 8)",
    )


def export_options(group: argparse.ArgumentParser) -> None:
    group.add_argument(
        "--export",
        nargs="+",
        action="extend",
        default=[],
        metavar="NAME",
        help="exports to publish (default: all exports of the project)",
    )


def plan_options(group: argparse.ArgumentParser) -> None:
    add = group.add_argument
    warehouse_options(group)
    add(
        "--full",
        action="store_true",
        help="put every item, also those that did not change; deletes are the same",
    )
    add(
        "--skip-dbt-gate",
        action="store_true",
        help="continue even if dbt's tests have not passed; the plan records why",
    )
    add(
        "--prices",
        type=Path,
        metavar="FILE",
        help="JSON file with prices of write units (default: loader/dynamodb/prices.json)",
    )


def storage_options(group: argparse.ArgumentParser) -> None:
    add = group.add_argument
    add(
        "--storage",
        default=DEFAULTS.storage,
        metavar="DIR",
        help="folder or s3:// address for the files of runs (default: %(default)s)",
    )


def run_options(group: argparse.ArgumentParser) -> None:
    group.add_argument(
        "--create-table",
        action="store_true",
        help="create a missing table with on-demand capacity; a plan only announces it",
    )
    group.add_argument(
        "--write-capacity",
        type=capacity,
        metavar="UNITS",
        help="write units of the table per second, at most: a number, a share as 50%% or max "
        "(default: write_capacity of the exposure, else 50%%)",
    )
    table_options(group)
    spark_options(group)


def table_options(group: argparse.ArgumentParser) -> None:
    """The options of the commands that reach a table."""
    add = group.add_argument
    add(
        "--dynamodb-role",
        metavar="ARN",
        help="IAM role that reaches the table, such as one of another account (default: role_arn "
        "of the exposure, else no role)",
    )
    add(
        "--dynamodb-external-id",
        metavar="ID",
        help="external id that the trust policy of the role asks for (default: external_id of the "
        "exposure)",
    )


def spark_options(group: argparse.ArgumentParser) -> None:
    add = group.add_argument
    add(
        "--stall-minutes",
        type=float,
        default=DEFAULTS.stall_minutes,
        metavar="M",
        help="stop after M minutes in which no task made progress (default: %(default)g)",
    )
    add(
        "--spark-conf",
        dest="spark",
        type=_property,
        action="append",
        metavar="NAME=VALUE",
        help="Spark property that overrides the loader's; can be repeated",
    )


def apply_options(group: argparse.ArgumentParser) -> None:
    add = group.add_argument
    add("--keep", action="store_true", help="keep the changeset after a complete run")
    add(
        "--requests",
        type=int,
        default=DEFAULTS.requests,
        metavar="N",
        help="BatchWriteItem requests in flight per task (default: %(default)s)",
    )
    retry_options(group)
    add(
        "--keep-runs",
        type=int,
        default=DEFAULTS.keep_runs,
        metavar="N",
        help="runs of an export whose files are kept (default: %(default)s)",
    )
    add(
        "--pre-warm",
        type=int,
        metavar="N",
        help="first raise the warm throughput of an on-demand table and its indexes to N write "
        "units per second; AWS charges for it once",
    )
    add("--yes", action="store_true", help="confirm the price of --pre-warm")
    pace_options(group)
    lock_options(group)


def pace_options(group: argparse.ArgumentParser) -> None:
    group.add_argument(
        "--pace-port",
        type=int,
        metavar="PORT",
        help="port of the driver at which tasks ask for capacity units (default: any free port)",
    )


def retry_options(group: argparse.ArgumentParser) -> None:
    group.add_argument(
        "--retry-seconds",
        type=float,
        default=DEFAULTS.retry_seconds,
        metavar="S",
        help="stop after S seconds without a successful request (default: %(default)g)",
    )


def lock_options(group: argparse.ArgumentParser) -> None:
    group.add_argument(
        "--lock-seconds",
        type=float,
        default=DEFAULTS.lock_seconds,
        metavar="S",
        help="seconds after which the lock of a dead run expires, at least 3 "
        "(default: %(default)g)",
    )
