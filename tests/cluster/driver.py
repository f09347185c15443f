"""A driver: a command of the loader in processes of its own."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from tests.faults.world import Outcome

# The longest command takes a tenth of this on two idle cores.
MOST_SECONDS = 300.0
HANG = 124


class Process:
    """A command of the loader on the cluster, and the JVM of its driver."""

    def __init__(self, command: Sequence[str], environment: dict[str, str], folder: Path) -> None:
        self._files = [(folder / name).open("w+") for name in ("out.txt", "err.txt")]
        self._process = subprocess.Popen(
            command,
            env=environment,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=self._files[0],
            stderr=self._files[1],
            start_new_session=True,
        )

    def kill_driver(self) -> None:
        """Send SIGKILL to the driver; its JVM ends by itself."""
        self._process.kill()

    def kill_machine(self) -> None:
        """Send SIGKILL to the driver and its JVM at the same time."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)

    def interrupt(self) -> None:
        self._process.send_signal(signal.SIGINT)

    def wait(self) -> Outcome:
        """The outcome; the code is 137 after SIGKILL, and 124 for a command that hangs."""
        try:
            code = self._process.wait(MOST_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill_machine()
            self._process.wait()
            code = -HANG
        except KeyboardInterrupt:
            self.kill_machine()
            raise
        texts = []
        for file in self._files:
            file.seek(0)
            texts.append(file.read())
            file.close()
        if code == -HANG:
            return Outcome(HANG, texts[0], f"{texts[1]}\nhangs: killed after {MOST_SECONDS:g} s")
        return Outcome(code if code >= 0 else 128 - code, *texts)
