"""The loader, whose broker ends once while tasks write; the driver goes on and starts it again.

python -m tests.pace.ended_broker load …
"""

from __future__ import annotations

import sys
import threading
import time
from typing import Any

from loader.pace import broker

STRUCK = "the broker was started again"
# After the first task has connected.
AFTER_SECONDS = 10.0
POLL_SECONDS = 0.02


class EndedBroker(broker.Broker):
    """The first broker of the process ends as after an error; the others live on."""

    count = 0

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        EndedBroker.count += 1
        if EndedBroker.count == 1:
            threading.Thread(target=self._end, name="end", daemon=True).start()
        else:
            print(STRUCK, file=sys.stderr, flush=True)

    def _end(self) -> None:
        while self.is_serving and not self.connected:
            time.sleep(POLL_SECONDS)
        time.sleep(AFTER_SECONDS)
        self.close()


def main() -> int:
    broker.Broker = EndedBroker  # type: ignore[misc]
    # Imported after the broker is replaced, because its modules import it by name.
    from loader import cli

    return cli.main(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
