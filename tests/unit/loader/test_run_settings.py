from dataclasses import asdict
from pathlib import Path

import pytest

from loader.errors import Refused
from loader.settings import Settings


def test_the_defaults_are_these() -> None:
    assert asdict(Settings()) == {
        "project_dir": Path("dbt_project"),
        "profiles_dir": None,
        "target": None,
        "storage": ".loader",
        "queries": None,
        "fetch_ring_buffer": "32M",
        "requests": 8,
        "retry_seconds": 60.0,
        "max_rejects": 0,
        "create_table": False,
        "allow_plain_http": False,
        "keep": False,
        "skip_dbt_gate": False,
        "prices": None,
        "debug": False,
        "spark": {},
    }


@pytest.mark.refused
def test_all_problems_are_raised_at_once() -> None:
    with pytest.raises(Refused) as refused:
        Settings(queries=0, requests=-3, retry_seconds=0, max_rejects=-1, fetch_ring_buffer="32 MB")

    assert (refused.value.subject, refused.value.problems) == (
        "the settings",
        [
            "--queries must be a positive whole number, got 0: set it to 1 or more",
            "--requests must be a positive whole number, got -3: set it to 1 or more",
            "--retry-seconds must be above 0, got 0: say how long a silent table is waited for",
            "--max-rejects must be 0 or more, got -1: say how many rejects a run may have",
            "--fetch-ring-buffer must be a size such as 32M, got 32 MB: "
            "the driver takes digits and K, M or G",
        ],
    )


@pytest.mark.parametrize("size", ["1", "900K", "32m", "1G"])
def test_sizes_of_the_ring_buffer_are_digits_and_a_unit(size: str) -> None:
    assert Settings(fetch_ring_buffer=size).fetch_ring_buffer == size


@pytest.mark.refused
@pytest.mark.parametrize("size", ["", "0", "0M", "-1M", "M", "1.5G", "32M\n", "32T"])
def test_other_sizes_of_the_ring_buffer_are_refused(size: str) -> None:
    with pytest.raises(Refused) as refused:
        Settings(fetch_ring_buffer=size)

    assert refused.value.problems == [
        f"--fetch-ring-buffer must be a size such as 32M, got {size}: "
        "the driver takes digits and K, M or G"
    ]


def test_patience_that_is_not_a_number_is_refused() -> None:
    with pytest.raises(Refused) as refused:
        Settings(retry_seconds=float("nan"))

    assert refused.value.problems == [
        "--retry-seconds must be above 0, got nan: say how long a silent table is waited for"
    ]
