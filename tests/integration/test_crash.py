"""One of the crashes, against real servers. `make crash` plays all of them (tests/crash)."""

from __future__ import annotations

import pytest
from pyspark.sql import SparkSession

from sandbox import Sandbox
from tests.crash.cases import play
from tests.crash.world import World

pytestmark = pytest.mark.integration

WRITING = 40  # the seed of this case


@pytest.fixture(scope="module")
def world(sandbox: Sandbox, spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> World:
    return World(sandbox, tmp_path_factory.mktemp("crash"))


def test_after_a_crash_a_load_makes_the_table_equal_to_the_model(world: World) -> None:
    """The driver is killed between two writes of a second load, on S3; its workers live on.

    Some slices are written, others in doubt. `test_two_runs.py` and `test_signals.py` have what
    else can follow a crash: two loads at once, an old changeset, `resume`.
    """
    result = play(world, WRITING)

    assert (result.case.moment.phase, result.case.victim) == ("writing", "driver")
    assert (result.case.on_s3, result.case.first, result.case.has_table) == (True, True, True)
    assert result.green, result
