"""Redshift's JDBC driver that a cluster has before that of the job."""

import pytest

from loader.errors import Refused
from loader.warehouse.driver_version import version_notes


def test_an_older_driver_than_the_tested_one_is_noted() -> None:
    assert version_notes("2.1.0.28") == (
        "the JDBC driver of Redshift is 2.1.0.28; the loader is tested with 2.3.0",
    )


@pytest.mark.parametrize("version", ["2.3.0", "2.3.0.1", "2.10.0"])
def test_the_tested_driver_and_newer_ones_are_not_noted(version: str) -> None:
    assert version_notes(version) == ()


def test_a_driver_whose_reads_hang_is_refused() -> None:
    with pytest.raises(Refused) as refused:
        version_notes("2.1.0.20")

    assert refused.value.problems == [
        "the JDBC driver of Redshift must be 2.1.0.28 or later, got 2.1.0.20: put "
        "redshift-jdbc42-2.3.0.jar before it in the class path"
    ]
