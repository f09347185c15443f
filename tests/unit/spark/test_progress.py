import io
import time

import pytest

from loader.spark.progress import Step


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def step(stream: io.StringIO, total: int = 4) -> Step:
    return Step("plan", total, "partitions", stream)


def test_without_a_terminal_a_step_prints_one_line_at_its_start_and_one_at_its_end() -> None:
    stream = io.StringIO()
    reading = Step("plan", 1_200, "partitions", stream)
    for done in (1, 600, 1_199):
        reading.show(done)
    reading.end(1_200, "9,000 rows · 90 rows/s")
    reading.broken()

    assert stream.getvalue() == (
        "plan   started: 1,200 partitions\nplan   1,200/1,200 partitions · 9,000 rows · 90 rows/s\n"
    )


def test_a_long_step_prints_its_progress_once_per_minute() -> None:
    stream = io.StringIO()
    reading = step(stream)
    reading.last_line = time.monotonic() - 60
    reading.show(2)
    reading.show(3)

    assert stream.getvalue() == "plan   started: 4 partitions\nplan   2/4 partitions\n"


@pytest.mark.parametrize(
    ("done", "bar", "shown"),
    [
        (0, "╸" + " " * 31, 0),
        (1, "━" * 8 + "╸" + " " * 23, 1),
        (4, "━" * 32, 4),
        (9, "━" * 32, 4),
    ],
)
def test_a_terminal_shows_a_bar_that_is_redrawn_in_place(done: int, bar: str, shown: int) -> None:
    stream = Terminal()
    step(stream).show(done)

    assert len(bar) == 32
    assert stream.getvalue() == f"\rplan   {bar}  {shown}/4 partitions\x1b[K"


def test_a_step_of_nothing_has_a_full_bar() -> None:
    stream = Terminal()
    step(stream, total=0).show(0)

    assert stream.getvalue() == f"\rplan   {'━' * 32}  0/0 partitions\x1b[K"


def test_the_last_line_replaces_the_bar() -> None:
    stream = Terminal()
    step(stream).end(4, "done")

    assert stream.getvalue() == f"\rplan   {'━' * 32}  4/4 partitions · done\x1b[K\n"


def test_a_step_that_ends_early_has_no_full_bar() -> None:
    stream = Terminal()
    step(stream).end(3, "1 missing")

    assert stream.getvalue() == "\rplan   3/4 partitions · 1 missing\x1b[K\n"


def test_a_broken_step_leaves_its_bar_and_starts_a_new_line() -> None:
    stream = Terminal()
    step(stream).broken()

    assert stream.getvalue() == "\n"


LONG = ["30/s · 12 retries · 1,940 of 2,000 WCU/s · 0 throttled · 31 min left", "31 min left"]


def test_the_facts_of_a_step_are_behind_its_count() -> None:
    stream = Terminal()
    step(stream).show(2, LONG)

    bar = "━" * 4 + "╸" + " " * 3
    assert len(f"plan   {bar}  2/4 partitions · {LONG[0]}") > 80
    assert stream.getvalue() == (
        f"\rplan   {'━' * 16}╸{' ' * 15}  2/4 partitions · 31 min left\x1b[K"
    )


@pytest.mark.parametrize(
    ("facts", "line"),
    [
        (["x" * 33], "2/4 partitions · " + "x" * 33),
        (["x" * 48], "2/4 partitions · " + "x" * 48),
        (["x" * 56, ""], "2/4 partitions"),
        (["x" * 90], "2/4 partitions · " + "x" * 55),
    ],
)
def test_a_line_is_never_wider_than_the_terminal(facts: list[str], line: str) -> None:
    """A line that wraps is not redrawn in place."""
    stream = Terminal()
    step(stream).show(2, facts)

    shown = stream.getvalue().removeprefix("\r").removesuffix("\x1b[K")
    assert len(shown) <= 79
    assert shown.endswith(line)


def test_a_bar_that_became_shorter_and_facts_that_were_dropped_stay_so() -> None:
    stream = Terminal()
    reading = step(stream)
    for fact in ("x" * 40, "x", "x" * 60, "x"):
        reading.show(2, [fact, fact[:20]])

    lines = stream.getvalue().split("\r")[1:]
    bars = [
        line.count("━") + line.count("╸") + line[7:].split("  2/4")[0].count(" ") for line in lines
    ]
    assert bars == [13, 13, 13, 13]


def test_without_a_terminal_the_longest_facts_are_printed() -> None:
    stream = io.StringIO()
    reading = step(stream)
    reading.last_line = time.monotonic() - 60
    reading.show(2, LONG)

    assert stream.getvalue().splitlines()[1] == f"plan   2/4 partitions · {LONG[0]}"


@pytest.mark.parametrize(
    ("stream", "line"),
    [
        (Terminal(), "\rwarning: x\\n\x1b[K\n"),
        (io.StringIO(), "plan   started: 4 partitions\nwarning: x\\n\n"),
    ],
)
def test_a_warning_is_a_line_above_the_bar_and_is_printed_once(
    stream: io.StringIO, line: str
) -> None:
    reading = step(stream)
    reading.warn("x\n")
    reading.warn("x\n")

    assert stream.getvalue() == line
