from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox import Sandbox, Settings


@pytest.fixture
def private_sandbox(tmp_path: Path) -> Iterator[Sandbox]:
    """A sandbox for one test that stops or breaks it; it is not started."""
    sandbox = Sandbox(Settings.on_free_ports(tmp_path / "state"))
    yield sandbox
    sandbox.down()
