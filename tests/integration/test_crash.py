"""Some of the crashes, against real servers. `make crash` plays all of them (tests/crash)."""

from __future__ import annotations

import pytest
from pyspark.sql import SparkSession

from sandbox import Sandbox
from tests.crash.cases import play
from tests.crash.world import World

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def world(sandbox: Sandbox, spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> World:
    return World(sandbox, tmp_path_factory.mktemp("crash"))


@pytest.mark.parametrize("seed", [4, 11])
def test_after_a_crash_a_load_makes_the_table_equal_to_the_model(world: World, seed: int) -> None:
    result = play(world, seed)

    assert result.green, result
