"""The options of the commands; docs/reference/options.md is generated from them."""

import argparse
from collections.abc import Callable
from pathlib import Path

from loader.option_types import capacity, limit, share, spark_property
from loader.project_options import jdbc_option
from loader.settings import Settings

DEFAULTS = Settings()


class Version(argparse.Action):
    """Print the version, which is looked up only then."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from importlib.metadata import version

        print(f"loader {version('redshift-to-dynamodb')}")
        parser.exit()


def option_group(add_options: Callable[[argparse.ArgumentParser], None]) -> argparse.ArgumentParser:
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
        type=limit,
        metavar="LIMIT",
        help="refuse to delete more of the table's keys than a share, a number or both, such as "
        "'10%%,500' (default: max_deletes of the exposure, else 10%%)",
    )
    add(
        "--max-changes",
        type=limit,
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
        type=share,
        metavar="SHARE",
        help="read only a share of the keys, such as 5%% (default: all of them)",
    )


def warehouse_options(group: argparse.ArgumentParser) -> None:
    """The options of the commands that read the warehouse."""
    add = group.add_argument
    jdbc_option(group)
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
    group.add_argument(
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
        type=spark_property,
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
