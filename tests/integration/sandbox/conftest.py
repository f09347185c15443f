from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox import Sandbox, Settings


@pytest.fixture(scope="package")
def breakable(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """The sandbox of all tests that stop or break one: its first start takes seconds."""
    sandbox = Sandbox(Settings.on_free_ports(tmp_path_factory.mktemp("breakable") / "state"))
    yield sandbox
    sandbox.down()


@pytest.fixture
def private_sandbox(breakable: Sandbox) -> Sandbox:
    """A sandbox that a test may stop or break, after others have; all its services run."""
    breakable.up()
    return breakable


@pytest.fixture
def new_sandbox(tmp_path: Path) -> Iterator[Sandbox]:
    """A sandbox that was never started."""
    sandbox = Sandbox(Settings.on_free_ports(tmp_path / "state"))
    yield sandbox
    sandbox.down()
