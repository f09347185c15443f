"""plan → check → apply → commit: the only place that knows the order."""

import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from pyspark.sql import SparkSession

from loader import spark as sparks
from loader import surroundings, tls
from loader.account import Report, account
from loader.apply import table as tables
from loader.apply.job import apply_plan
from loader.endpoints import plain_text_problem
from loader.errors import Refused
from loader.exports import Export, read_manifest, select_exports
from loader.phases import Stopwatch
from loader.plan.job import check, plan_export
from loader.plan.result import Plan, load_plan
from loader.profile import Connection, read_profile
from loader.report import save
from loader.settings import Settings
from loader.storage.changeset import CHANGES
from loader.storage.location import Location


@dataclass(frozen=True)
class Source:
    """What a plan needs to know of the outside before it starts."""

    connection: Connection
    exports: tuple[Export, ...]


def open_source(settings: Settings, names: Sequence[str]) -> Source:
    """Exports and connection; all problems of both at once, with that of a missing Java."""
    storage = Location(settings.storage)
    problems = endpoint_problems(settings, storage)
    # Nothing is sent to an S3 whose address may not be used.
    if not (storage.is_s3 and problems) and (problem := storage.problem()):
        problems.append(problem)
    exports: list[Export] = []
    connection: Connection | None = None
    try:
        exports = select_exports(read_manifest(settings.project_dir), names)
    except Refused as refused:
        problems += refused.problems
    try:
        connection = read_profile(
            settings.project_dir,
            settings.profiles_dir,
            settings.target,
            settings.allow_plain_http,
        )
    except Refused as refused:
        # Without a project there is no profile: that is one problem, not two.
        if (settings.project_dir / "dbt_project.yml").is_file():
            problems += refused.problems
    if problem := sparks.java_problem():
        problems.append(problem)
    if problems or connection is None:
        raise Refused(problems)
    if connection.warning:
        print(f"warning: {connection.warning}", file=sys.stderr)
    return Source(connection, tuple(exports))


def endpoint_problems(settings: Settings, storage: Location | None = None) -> list[str]:
    """What is wrong with the addresses of DynamoDB and S3 and with the authorities of their TLS."""
    problems = [problem] if (problem := tls.bundle_problem()) else []
    urls = {}
    try:
        urls["DynamoDB"] = tables.client().meta.endpoint_url
    except Refused as refused:
        problems += refused.problems
    if storage and (url := storage.endpoint):
        urls["S3"] = url
    if not settings.allow_plain_http:
        plain = (plain_text_problem(service, url) for service, url in urls.items())
        problems += [problem for problem in plain if problem]
    return problems


def check_endpoints(settings: Settings, storage: Location | None = None) -> None:
    if problems := endpoint_problems(settings, storage):
        raise Refused(problems)


def start_spark(settings: Settings, packages: list[str]) -> SparkSession:
    folder = Location(settings.storage)
    log = Path(".loader" if folder.is_s3 else settings.storage) / "spark.log"
    return sparks.start("loader", packages, settings.slots, log, settings.spark)


def plan(settings: Settings, names: Sequence[str], watch: Stopwatch | None = None) -> list[Plan]:
    """Plan the exports; every one is checked before the first is read."""
    watch = watch or Stopwatch()
    source = open_source(settings, names)
    dynamodb = tables.client()
    described = {e.name: tables.describe(dynamodb, e.table) for e in source.exports}
    problems = [
        tables.missing(export.table)
        for export in source.exports
        if described[export.name] is None and not settings.create_table
    ]
    spark = start_spark(settings, [source.connection.driver.package])
    watch.lap("start")
    keys = {}
    for export in source.exports:
        try:
            keys[export.name] = check(spark, settings, source.connection, export)
        except Refused as refused:
            problems += refused.problems
            continue
        table = described[export.name]
        if table is not None:
            problems += tables.key_problems(table, keys[export.name])
    if problems:
        raise Refused(problems, subject=_subject(source.exports))
    watch.lap("check")
    run = run_id(datetime.now(timezone.utc))
    return [
        plan_export(
            spark,
            settings,
            source.connection,
            export,
            run_folder(settings, export.name, run),
            keys[export.name],
        )
        for export in source.exports
    ]


def run_id(now: datetime) -> str:
    """The name of a run: its start in UTC, to the millisecond, fit to be a folder's name."""
    return now.strftime("%Y-%m-%dT%H-%M-%S-%f")[:-3] + "Z"


def _subject(exports: Sequence[Export]) -> str:
    return f"export{'s' if len(exports) > 1 else ''} {', '.join(e.name for e in exports)}"


def run_folder(settings: Settings, export: str, run: str) -> Location:
    return Location(settings.storage) / export / "runs" / run


def load(settings: Settings, names: Sequence[str]) -> list[Report]:
    """Plan all exports, then apply them one by one."""
    watch = Stopwatch()
    plans = plan(settings, names, watch)
    found = [_table(settings, planned) for planned in plans]
    return [
        _apply(settings, planned, run_folder(settings, planned.export, planned.run), table, watch)
        for planned, table in zip(plans, found, strict=True)
    ]


def load_changeset(settings: Settings, folder: Location) -> Report:
    """Apply a changeset that was kept; the warehouse is not asked."""
    watch = Stopwatch()
    problems = endpoint_problems(settings, folder)
    if problem := sparks.java_problem():
        problems.append(problem)
    if problems:
        raise Refused(problems)
    planned = load_plan(folder)
    table = _table(settings, planned)
    watch.lap("check")
    start_spark(settings, [])
    watch.lap("start")
    return _apply(settings, planned, folder, table, watch)


def _table(settings: Settings, planned: Plan) -> tables.ReadyTable:
    return tables.ready(tables.client(), planned.table, planned.key, settings.create_table)


def _apply(
    settings: Settings, planned: Plan, folder: Location, table: tables.ReadyTable, watch: Stopwatch
) -> Report:
    """Apply, account, save the report; the changeset goes when all of it is written."""
    spark = start_spark(settings, [])
    began = time.time()
    outcomes, seconds = apply_plan(spark, settings, planned, folder)
    around = surroundings.Surroundings(
        start_seconds=round(watch.seconds["start"], 3),
        check_seconds=round(watch.seconds["check"], 3),
        apply_seconds=round(seconds, 3),
        apply_began=began,
        region=table.region,
        billing_mode=table.billing_mode,
        settings=surroundings.shown_settings(settings),
        versions=surroundings.versions(spark.version),
        load_command=surroundings.load_command(settings, planned.export),
        apply_command=surroundings.apply_command(settings, str(folder)),
    )
    report = account(planned, outcomes, str(folder), around)
    save(report, folder)
    if report.complete and not settings.keep:
        (folder / CHANGES).delete()
    return report
