"""The options of a run; all their problems are raised together, before anything runs."""

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from loader import machine
from loader.age_limit import AgeLimit
from loader.capacity_setting import CapacitySetting
from loader.change_limit import ChangeLimit
from loader.errors import Refused
from loader.redaction import holds_secret
from loader.role_names import is_external_id, is_role

STORAGE = re.compile(r"s3://[^/]+(/.*)?|(?![A-Za-z0-9]+:/).+", re.DOTALL)
# More queries would leave the warehouse little room for others, however large this machine is.
QUERIES = 8
# A week. JDBC drivers count milliseconds in 32 bits, which hold 24 days.
MOST_STALL_MINUTES = 10_080
# A lock is renewed 30 times in its seconds, and a task notices within a sixth of them.
LEAST_LOCK_SECONDS, MOST_LOCK_SECONDS = 3, 3600
MOST_PORT = 65_535
# The memory that a load needs with four task slots, and that of each further slot's Python worker.
LEAST_MEMORY = 1 << 30
WORKER_MEMORY = 100 << 20


@dataclass(frozen=True)
class Settings:
    """Options of one run; docs/reference/options.md describes each.

    `bundle` is read instead of the dbt project. `secret` is one of AWS Secrets Manager; None means
    the user of the dbt profile. `queries` of None is chosen for the session (`DriverConf.queries`).
    `spark` has Spark properties, none of them a secret. `min_rows`, `max_deletes`, `max_changes`,
    `write_capacity`, `read_capacity`, `dynamodb_role` and `dynamodb_external_id` of None mean those
    of each export.
    """

    project_dir: Path = Path("dbt_project")
    profiles_dir: Path | None = None
    profile: str | None = None
    target: str | None = None
    vars: dict[str, Any] = field(default_factory=dict)
    bundle: str | None = None
    max_gate_age: AgeLimit | None = None
    latest: bool = False
    jdbc: Path | None = None
    secret: str | None = None
    storage: str = ".loader"
    queries: int | None = None
    requests: int = 16
    retry_seconds: float = 60.0
    stall_minutes: float = 15.0
    max_rejects: int = 0
    min_rows: int | None = None
    max_deletes: ChangeLimit | None = None
    max_changes: ChangeLimit | None = None
    allow_deletes: int | None = None
    allow_changes: int | None = None
    full: bool = False
    keep_runs: int = 10
    pre_warm: int | None = None
    yes: bool = False
    lock_seconds: float = 60.0
    write_capacity: CapacitySetting | None = None
    read_capacity: CapacitySetting | None = None
    pace_port: int | None = None
    dynamodb_role: str | None = None
    dynamodb_external_id: str | None = None
    create_table: bool = False
    allow_plain_http: bool = False
    keep: bool = False
    skip_dbt_gate: bool = False
    prices: Path | None = None
    debug: bool = False
    json: bool = False
    metrics: str | None = None
    otel: bool = False
    notify: str | None = None
    notify_on: str | None = None
    spark: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        problems = [
            f"{name} must be a positive whole number, got {value}: set it to 1 or more"
            for name, value in (
                ("--queries", self.queries),
                ("--requests", self.requests),
                ("--keep-runs", self.keep_runs),
                ("--pre-warm", self.pre_warm),
            )
            if value is not None and value < 1
        ]
        if not self.retry_seconds > 0:
            problems.append(
                f"--retry-seconds must be above 0, got {self.retry_seconds:g}: "
                "give a number of seconds"
            )
        if not 0 < self.stall_minutes <= MOST_STALL_MINUTES:
            problems.append(
                f"--stall-minutes must be above 0 and at most {MOST_STALL_MINUTES}, "
                f"got {self.stall_minutes:g}: give a number of minutes"
            )
        problems += [
            f"{name} must be 0 or more, got {value}: give a number of {what}"
            for name, value, what in (
                ("--max-rejects", self.max_rejects, "rejects"),
                ("--min-rows", self.min_rows, "rows"),
                ("--allow-deletes", self.allow_deletes, "deletes"),
                ("--allow-changes", self.allow_changes, "changes"),
            )
            if value is not None and value < 0
        ]
        if not LEAST_LOCK_SECONDS <= self.lock_seconds <= MOST_LOCK_SECONDS:
            problems.append(
                f"--lock-seconds must be {LEAST_LOCK_SECONDS} to {MOST_LOCK_SECONDS}, "
                f"got {self.lock_seconds:g}: give a number of seconds"
            )
        if self.pace_port is not None and not 1 <= self.pace_port <= MOST_PORT:
            problems.append(
                f"--pace-port must be 1 to {MOST_PORT}, got {self.pace_port}: "
                "give a free port of the driver"
            )
        if not STORAGE.fullmatch(self.storage):
            problems.append(
                f"--storage must be a folder or s3://bucket/prefix, got {self.storage}: "
                "give one of them"
            )
        if self.secret == "":
            problems.append(
                "--secret must be the ARN or the name of a secret, got an empty text: give one, or "
                "leave it out to sign in as the dbt profile"
            )
        if self.dynamodb_role is not None and not is_role(self.dynamodb_role):
            problems.append(
                f"--dynamodb-role must be the ARN of an IAM role, got {self.dynamodb_role}: "
                "give arn:aws:iam::ACCOUNT:role/NAME"
            )
        if self.dynamodb_external_id is not None and not is_external_id(self.dynamodb_external_id):
            problems.append(
                "--dynamodb-external-id must be 2 to 1224 letters, digits or _+=,.@:/-, got "
                f"{self.dynamodb_external_id}: give that of the role's trust policy"
            )
        problems += [
            f"--spark-conf must not contain a secret, which every user of this machine can see, "
            f"got {name}: write it to spark-defaults.conf, or give Spark a role"
            for name, value in self.spark.items()
            if holds_secret(name, value)
        ]
        problems += [
            f"--vars must not contain a secret, which every user of this machine can see, "
            f"got {name}: use env_var() in profiles.yml"
            for name, value in self.vars.items()
            if holds_secret(name, str(value))
        ]
        if problems:
            raise Refused(problems, subject="the settings")

    @property
    def local_queries(self) -> int:
        """Queries at the same time of a Spark on this machine: by default one per CPU.

        The task of a query decodes and sorts its rows, so more queries than CPUs wait for each
        other: 5 million rows took half as much CPU again (docs/decisions/0004).
        """
        return self.queries or min(QUERIES, machine.cpus(), _slots_in_memory())

    @property
    def local_slots(self) -> int:
        """Task slots of a Spark on this machine: one per query and, for writing, two per CPU,
        because a task that waits for DynamoDB's answers uses no CPU. Little memory limits them.
        """
        return max(self.local_queries, min(2 * machine.cpus(), _slots_in_memory()))


def _slots_in_memory() -> int:
    return 4 + max(0, machine.memory() - LEAST_MEMORY) // WORKER_MEMORY
