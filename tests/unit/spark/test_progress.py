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
