from dataclasses import asdict
from pathlib import Path

import pytest

from loader.errors import Refused
from loader.settings import Settings


def test_the_defaults_are_these() -> None:
    assert asdict(Settings()) == {
        "project_dir": Path("dbt_project"),
        "profiles_dir": None,
        "profile": None,
        "target": None,
        "vars": {},
        "bundle": None,
        "max_gate_age": None,
        "latest": False,
        "jdbc": None,
        "secret": None,
        "storage": ".loader",
        "queries": None,
        "requests": 16,
        "retry_seconds": 60.0,
        "stall_minutes": 15.0,
        "max_rejects": 0,
        "min_rows": None,
        "max_deletes": None,
        "max_changes": None,
        "allow_deletes": None,
        "allow_changes": None,
        "full": False,
        "keep_runs": 10,
        "lock_seconds": 60.0,
        "pre_warm": None,
        "yes": False,
        "write_capacity": None,
        "read_capacity": None,
        "pace_port": None,
        "dynamodb_role": None,
        "dynamodb_external_id": None,
        "create_table": False,
        "allow_plain_http": False,
        "keep": False,
        "skip_dbt_gate": False,
        "prices": None,
        "debug": False,
        "json": False,
        "metrics": None,
        "otel": False,
        "notify": None,
        "notify_on": None,
        "spark": {},
    }


def test_all_problems_are_raised_together() -> None:
    with pytest.raises(Refused) as refused:
        Settings(queries=0, requests=-3, retry_seconds=0, max_rejects=-1)

    assert (refused.value.subject, refused.value.problems) == (
        "the settings",
        [
            "--queries must be a positive whole number, got 0: set it to 1 or more",
            "--requests must be a positive whole number, got -3: set it to 1 or more",
            "--retry-seconds must be above 0, got 0: give a number of seconds",
            "--max-rejects must be 0 or more, got -1: give a number of rejects",
        ],
    )


@pytest.mark.parametrize("minutes", [0, float("inf"), float("nan")])
def test_a_limit_without_progress_must_be_one_that_drivers_can_hold(minutes: float) -> None:
    with pytest.raises(Refused) as refused:
        Settings(stall_minutes=minutes)

    assert refused.value.problems == [
        f"--stall-minutes must be above 0 and at most 10080, got {minutes:g}: "
        "give a number of minutes"
    ]


def test_numbers_of_guards_and_lock_must_be_in_their_range() -> None:
    with pytest.raises(Refused) as refused:
        Settings(
            min_rows=-1,
            allow_deletes=-2,
            allow_changes=-3,
            keep_runs=0,
            pre_warm=0,
            lock_seconds=2,
            pace_port=65_536,
        )

    assert refused.value.problems == [
        "--keep-runs must be a positive whole number, got 0: set it to 1 or more",
        "--pre-warm must be a positive whole number, got 0: set it to 1 or more",
        "--min-rows must be 0 or more, got -1: give a number of rows",
        "--allow-deletes must be 0 or more, got -2: give a number of deletes",
        "--allow-changes must be 0 or more, got -3: give a number of changes",
        "--lock-seconds must be 3 to 3600, got 2: give a number of seconds",
        "--pace-port must be 1 to 65535, got 65536: give a free port of the driver",
    ]


def test_a_secret_without_a_name_is_refused() -> None:
    with pytest.raises(Refused) as refused:
        Settings(secret="")

    assert refused.value.problems == [
        "--secret must be the ARN or the name of a secret, got an empty text: give one, or leave "
        "it out to sign in as the dbt profile"
    ]


def test_retry_seconds_must_be_a_number() -> None:
    with pytest.raises(Refused) as refused:
        Settings(retry_seconds=float("nan"))

    assert refused.value.problems == [
        "--retry-seconds must be above 0, got nan: give a number of seconds"
    ]
