"""Play cases in processes that run at the same time: a case leaves much of a machine idle.

One process takes cases from the start of the list and the next one from its end, so that each has
few clusters to start if cases of one cluster are next to each other.
"""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from multiprocessing.connection import Connection
from typing import TypeVar

Case = TypeVar("Case")
Result = TypeVar("Result")
FORK = multiprocessing.get_context("fork")


def play_all(
    cases: Sequence[Case],
    play: Callable[[int, Iterator[Case]], Iterable[Result]],
    processes: int,
) -> list[Result]:
    """The results of all cases, in their order.

    Each process calls `play` with its number and the cases that it takes. Raises RuntimeError if a
    process ends without its results; the others are stopped.
    """
    ends = FORK.Array("i", [0, len(cases)])
    results: dict[int, Result] = {}

    def take(number: int) -> Iterator[int]:
        """The next case that no process has taken."""
        while True:
            with ends.get_lock():
                first, end = ends[0], ends[1]
                if first == end:
                    return
                index = end - 1 if number % 2 else first
                ends[number % 2] = index if number % 2 else index + 1
            yield index

    def lane(number: int, sender: Connection) -> None:
        # Ctrl-C reaches all processes; only the first one stops the others. A handler, unlike
        # SIG_IGN, is not inherited by the programs that a case starts.
        signal.signal(signal.SIGINT, lambda *_: None)
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        taken: list[int] = []

        def chosen() -> Iterator[Case]:
            for index in take(number):
                taken.append(index)
                yield cases[index]

        played = list(play(number, chosen()))
        sender.send(list(zip(taken, played, strict=True)))

    with ExitStack() as stack:
        receivers = []
        for number in range(processes):
            receiver, sender = FORK.Pipe(duplex=False)
            process = FORK.Process(target=lane, args=(number, sender))
            process.start()
            sender.close()
            stack.callback(process.join)
            stack.callback(process.terminate)
            receivers.append(receiver)
        for number, receiver in enumerate(receivers):
            try:
                results.update(receiver.recv())
            except EOFError:
                raise RuntimeError(f"process {number} of the cases ended: see above") from None
    return [results[index] for index in range(len(cases))]
