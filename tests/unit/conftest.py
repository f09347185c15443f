import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from loader.interruption import SIGNALS
from loader.pace import client
from tests.support.wheels import build_wheel


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_wheel(tmp_path_factory.mktemp("wheel"))


@pytest.fixture(autouse=True)
def patient_tasks(monkeypatch: pytest.MonkeyPatch) -> None:
    """A task connects to the capacity broker, however slow the machine is."""
    monkeypatch.setattr(client, "CONNECT_SECONDS", 60.0)


@pytest.fixture
def handlers() -> Iterator[None]:
    """Undo what the loader leaves after a signal, with which its process ends."""
    before = {number: signal.getsignal(number) for number in (*SIGNALS, signal.SIGALRM)}
    hook = sys.unraisablehook
    yield
    sys.unraisablehook = hook
    for number, handler in before.items():
        signal.signal(number, handler)
