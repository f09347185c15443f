"""Where a JVM's CPU goes, by what its threads are for."""

from pathlib import Path

from benchmarks.accounts import CLOCK_TICKS

# The kernel keeps 15 characters of a thread's name.
PURPOSES = {
    "compiler": ("C1 Compiler", "C2 Compiler", "Sweeper"),
    "collector": ("GC Thread", "G1 ", "VM Thread", "VM Periodic"),
    "tasks": ("Executor task", "stdout writer", "Writer Monitor"),
}


class Threads:
    """Seconds of every thread seen; one that has ended keeps what it had when it was last seen."""

    def __init__(self) -> None:
        self._seconds: dict[tuple[int, str], tuple[str, float]] = {}

    def sample(self, pid: int) -> None:
        for folder in Path(f"/proc/{pid}/task").glob("*"):
            try:
                text = (folder / "stat").read_text()
            except OSError:
                continue  # the thread has ended
            name = text[text.index("(") + 1 : text.rindex(")")]
            fields = text[text.rindex(")") + 1 :].split()
            seconds = (int(fields[11]) + int(fields[12])) / CLOCK_TICKS
            self._seconds[pid, folder.name] = (name, seconds)

    def by_purpose(self) -> dict[str, float]:
        """`compiler` turns bytecode into machine code, `driver` is all that is none of the rest."""
        found = dict.fromkeys([*PURPOSES, "driver"], 0.0)
        for name, seconds in self._seconds.values():
            found[purpose(name)] += seconds
        return {name: round(seconds, 2) for name, seconds in found.items()}


def purpose(thread: str) -> str:
    for name, beginnings in PURPOSES.items():
        if thread.startswith(beginnings):
            return name
    return "driver"
