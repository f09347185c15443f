"""The servers of a harness, and one Spark session for its runs that are not killed."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol, TypeVar

from loader.spark.session import start
from loader.warehouse.connection import DRIVERS
from sandbox import Sandbox
from tests.support.marked_processes import mark
from tests.support.sandboxes import running_sandbox

SESSION = "session"  # marks the Spark session and its workers


class HasEnvironment(Protocol):
    def environment(self) -> dict[str, str]: ...


World = TypeVar("World", bound=HasEnvironment)


@contextmanager
def running_world(create: Callable[[Sandbox, Path], World], name: str) -> Iterator[World]:
    """A world with a sandbox on free ports, and the session that the runs in this process share."""
    with (
        tempfile.TemporaryDirectory(prefix=f"{name}-") as path,
        running_sandbox(Path(path) / "sandbox") as sandbox,
    ):
        world = create(sandbox, Path(path))
        os.environ.update(world.environment(), **mark(SESSION))
        quiet = {"spark.ui.enabled": "false"}
        session = start(name, [*DRIVERS.values()], 4, Path(path) / "spark.log", quiet)
        try:
            yield world
        finally:
            session.stop()
