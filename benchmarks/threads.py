"""The CPU time of JVMs by the purpose of their threads."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.cpu_time import CLOCK_TICKS, CpuMeter
from benchmarks.sampling import sampling

# A JVM has a hundred threads: reading them every 50 ms would take a tenth of a core.
SAMPLE_SECONDS = 0.25

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
        self._before: dict[tuple[int, str], float] = {}

    def start(self) -> None:
        """Count from here: leave out what the sampled threads have used so far."""
        self._before = {thread: seconds for thread, (_, seconds) in self._seconds.items()}

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
        for thread, (name, seconds) in self._seconds.items():
            totals[purpose(name)] += seconds - self._before.get(thread, 0.0)
        return {name: round(seconds, 2) for name, seconds in totals.items()}


def purpose(thread: str) -> str:
    for name, prefixes in PURPOSES.items():
        if thread.startswith(prefixes):
            return name
    return "driver"


@contextmanager
def sampled(meter: CpuMeter) -> Iterator[Threads]:
    """The threads of the JVMs of a meter, read during the block and once at its end."""
    threads = Threads()

    def read() -> None:
        for pid in filter(is_jvm, meter.pids()):
            threads.sample(pid)

    read()
    threads.start()
    try:
        with sampling(read, SAMPLE_SECONDS):
            yield threads
    finally:
        read()


def is_jvm(pid: int) -> bool:
    return command_name(pid) == "java"


def command_name(pid: int) -> str:
    """The name of a process's program (proc_pid_comm(5)); empty if the process has ended."""
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""
