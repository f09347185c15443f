"""A short load with a limit, against real servers. `make pace` plays all cases (tests/pace)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sandbox import Sandbox
from sandbox.capacity.measure import Step
from sandbox.capacity.process import running
from tests.pace.cases import SMOKE
from tests.pace.result import measured
from tests.pace.world import World

pytestmark = pytest.mark.integration


def test_a_load_never_consumes_more_than_it_is_allowed_to(
    sandbox: Sandbox,
    loader: Callable[..., Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The table has twice the capacity, so that nothing else holds the load back."""
    with running(sandbox.settings.dynamodb_port) as proxy:
        monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", proxy.url)
        place = World(sandbox, proxy, tmp_path).place(SMOKE.name, SMOKE.data, SMOKE.limits)
        load = ["load", *place.project.arguments, *place.project.storage]
        run = loader(*load, "--write-capacity", SMOKE.capacity)
        record = proxy.record()

    steps = [Step(0.0, float(SMOKE.capacity))]
    result = measured(SMOKE.name, SMOKE.rule, record, SMOKE.name, steps=steps)
    assert (run.code, result.broken) == (0, []), run.err
    assert sum(use.units for use in record.uses) == SMOKE.data.items
