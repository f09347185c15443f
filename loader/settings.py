"""The settings of a run, checked when they are made: all problems at once, before anything runs."""

import os
import re
from dataclasses import dataclass, field
from pathlib import Path

from loader.errors import Refused
from loader.redaction import holds_secret

STORAGE = re.compile(r"s3://[^/]+(/.*)?|(?![A-Za-z0-9]+:/).+", re.DOTALL)
# More would take the warehouse from others, whatever the machine that loads.
QUERIES = 8


@dataclass(frozen=True)
class Settings:
    """What a run may be told.

    `queries` is how many queries the warehouse gets at once at most (None: see `most_queries`);
    `requests` how many BatchWriteItem calls a task has in flight; `retry_seconds` how long the
    table may acknowledge nothing before the run gives up; with more than `max_rejects` rows
    without a key and rejected items together a run is incomplete; `skip_dbt_gate` goes on whatever
    dbt's tests say; `prices` is a file of prices over the loader's own; `allow_plain_http` lets
    AWS requests leave this machine without TLS; `spark` are Spark properties that override ours,
    none of them a secret.
    """

    project_dir: Path = Path("dbt_project")
    profiles_dir: Path | None = None
    target: str | None = None
    storage: str = ".loader"
    queries: int | None = None
    requests: int = 16
    retry_seconds: float = 60.0
    max_rejects: int = 0
    create_table: bool = False
    allow_plain_http: bool = False
    keep: bool = False
    skip_dbt_gate: bool = False
    prices: Path | None = None
    debug: bool = False
    spark: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        problems = [
            f"{name} must be a positive whole number, got {value}: set it to 1 or more"
            for name, value in (("--queries", self.queries), ("--requests", self.requests))
            if value is not None and value < 1
        ]
        if not self.retry_seconds > 0:
            problems.append(
                f"--retry-seconds must be above 0, got {self.retry_seconds:g}: "
                "say how long a silent table is waited for"
            )
        if self.max_rejects < 0:
            problems.append(
                f"--max-rejects must be 0 or more, got {self.max_rejects}: "
                "say how many rejects a run may have"
            )
        if not STORAGE.fullmatch(self.storage):
            problems.append(
                f"--storage must be a folder or s3://bucket/prefix, got {self.storage}: "
                "name one of them"
            )
        problems += [
            f"--spark-conf must not hold a secret, which every user of this machine can see, got "
            f"{name}: write it to spark-defaults.conf, or give Spark a role"
            for name, value in self.spark.items()
            if holds_secret(name, value)
        ]
        if problems:
            raise Refused(problems, subject="the settings")

    @property
    def most_queries(self) -> int:
        """One query for each CPU, which decodes and sorts what it gives, unless told otherwise.

        More at once take up to half as much CPU again on the same rows, here and, where staging is
        a view, in the warehouse (docs/performance.md).
        """
        return self.queries or min(QUERIES, os.cpu_count() or 1)

    @property
    def slots(self) -> int:
        """Task slots when Spark runs on this machine: one a query, and two a CPU for the tasks that
        write, so that one goes on where another waits for answers or begins."""
        return max(self.most_queries, 2 * (os.cpu_count() or 1))
