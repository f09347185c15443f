"""Geometry of the charts on the report page, in percent of the plot; templates/ draws them."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

MOST_BARS = 200  # in a chart; narrower bars cannot be told apart


@dataclass(frozen=True)
class Bar:
    """One bar: its label (`partition 7`), value and text, and where it stands."""

    label: str
    value: float
    text: str = ""
    x: float = 0.0
    y: float = 0.0
    width: float = 0.0
    height: float = 100.0
    most: bool = False


@dataclass(frozen=True)
class Columns:
    """A chart of upright bars; `merged` neighbours share a bar, `mean` is the place of a line."""

    title: str
    words: str
    bars: list[Bar]
    scale: str
    first: str
    last: str
    merged: int = 1
    mean: float | None = None


def rows(bars: Sequence[Bar]) -> list[Bar]:
    """Horizontal bars; the longest takes 66 % of the width and leaves room for the texts."""
    top = max((bar.value for bar in bars), default=0) or 1
    return [replace(bar, width=round(max(66 * bar.value / top, 0.3), 2)) for bar in bars]


def columns(
    title: str,
    words: str,
    values: Sequence[Bar],
    ends: tuple[str, str],
    show: Callable[[float], str],
    mean: float | None = None,
    unit: float = 1,
) -> Columns:
    """Upright bars under a scale that is round in multiples of `unit`.

    With a mean, the largest bar is marked.
    """
    shown, merged = merge(values)
    largest = max(bar.value for bar in shown)
    top = unit * scale_end(largest / unit)
    step = 100 / len(shown)
    gap = step * 0.12 if len(shown) <= MOST_BARS // 4 else 0
    bars = [
        replace(
            bar,
            text=show(bar.value),
            x=round(number * step + gap / 2, 3),
            y=round(100 - 100 * bar.value / top, 2),
            width=round(step - gap, 3),
            height=round(100 * bar.value / top, 2),
            most=mean is not None and bar.value == largest,
        )
        for number, bar in enumerate(shown)
    ]
    place = None if mean is None else round(100 - 100 * mean / top, 2)
    return Columns(title, words, bars, show(top), *ends, merged, place)


def merge(bars: Sequence[Bar]) -> tuple[list[Bar], int]:
    """At most `MOST_BARS` bars, each the largest of so many neighbours."""
    width = math.ceil(len(bars) / MOST_BARS) or 1
    groups = [bars[start : start + width] for start in range(0, len(bars), width)]
    return [max(group, key=lambda bar: bar.value) for group in groups], width


def scale_end(value: float) -> float:
    """The end of a scale that holds the value: a small number times a power of ten."""
    if value < 1e-300:  # also numbers so small that their power of ten is 0
        return 1
    power = 10.0 ** math.floor(math.log10(value))
    return next(
        power * step for step in (1, 1.5, 2, 3, 4, 5, 6, 8, 10, 20) if power * step >= value
    )
