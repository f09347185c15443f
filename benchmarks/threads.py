"""The CPU time of a JVM by the purpose of its threads."""

from pathlib import Path

from benchmarks.cpu_time import CLOCK_TICKS

# Prefixes of thread names; the kernel keeps 15 characters of a name.
PURPOSES = {
    "compiler": ("C1 Compiler", "C2 Compiler", "Sweeper"),
    "collector": ("GC Thread", "G1 ", "VM Thread", "VM Periodic"),
    "tasks": ("Executor task", "stdout writer", "Writer Monitor"),
}


class Threads:
    """CPU seconds per thread; a thread that has ended keeps the value of its last sample."""

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
        """CPU seconds per purpose: `compiler` is the JIT compiler, `driver` all other threads."""
        totals = dict.fromkeys([*PURPOSES, "driver"], 0.0)
        for name, seconds in self._seconds.values():
            totals[purpose(name)] += seconds
        return {name: round(seconds, 2) for name, seconds in totals.items()}


def purpose(thread: str) -> str:
    for name, prefixes in PURPOSES.items():
        if thread.startswith(prefixes):
            return name
    return "driver"
