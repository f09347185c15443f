"""Geometry of the charts on the report page, in percent of the plot; templates/ draws them."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

MOST_BARS = 200  # in a chart; narrower bars cannot be distinguished
FAR = 3  # times the highest bar: a line above it would leave no height for the bars


@dataclass(frozen=True)
class Bar:
    """One bar: its label (`partition 7`), value, text and place; a hollow one has a cross."""

    label: str
    value: float
    text: str = ""
    x: float = 0.0
    y: float = 0.0
    width: float = 0.0
    height: float = 100.0
    most: bool = False
    hollow: bool = False


@dataclass(frozen=True)
class Stretch:
    """A horizontal piece of a line, from `x1` to `x2`; `rise` is the `y` of the piece before it."""

    x1: float
    x2: float
    y: float
    rise: float | None = None


@dataclass(frozen=True)
class Columns:
    """A chart of upright bars, each of `merged` neighbours; `mean` is the place of a line.

    `limit` is a line in pieces, with gaps where it is unknown.
    """

    title: str
    words: str
    bars: list[Bar]
    scale: str
    first: str
    last: str
    merged: int = 1
    mean: float | None = None
    limit: Sequence[Stretch] = ()


def rows(bars: Sequence[Bar]) -> list[Bar]:
    """Horizontal bars; the longest takes 66 % of the width and leaves room for the texts."""
    top = max((bar.value for bar in bars), default=0) or 1
    return [replace(bar, width=round(max(66 * bar.value / top, 0.3), 2)) for bar in bars]


def columns(
    title: str,
    values: Sequence[Bar],
    ends: tuple[str, str],
    show: Callable[[float], str],
    unit: float = 1,
    skew: bool = False,
    limit: Sequence[float | None] = (),
) -> Columns:
    """Upright bars under a scale that is round in multiples of `unit`.

    With `skew`, a line shows the mean, and the largest bar is marked. `limit` has the most that
    each bar may have; a line shows it unless it is far above them.
    """
    most = max(values, key=lambda bar: bar.value)
    mean = sum(bar.value for bar in values) / len(values)
    words = f"at most {show(most.value)} in {most.label}, {show(mean)} on average"
    if skew and mean:
        words = f"at most {show(most.value)} in {most.label}: "
        words += f"{most.value / mean:.2f} × the mean of {show(mean)}"
    shown, merged = merge(values)
    known = [value for value in limit if value is not None]
    highest = max(known, default=0.0)
    if known:
        lowest = min(known)
        words += f"; allowed {show(lowest)}"
        words += f" to {show(highest)}" if show(lowest) != show(highest) else ""
    drawn = 0 < highest <= FAR * most.value
    words += ", which is above the scale" if known and not drawn else ""
    top = unit * scale_end((max(most.value, highest) if drawn else most.value) / unit)
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
            most=skew and bar.value == most.value,
        )
        for number, bar in enumerate(shown)
    ]
    line = round(100 - 100 * mean / top, 2) if skew else None
    pieces = stretches(limit, top) if drawn else ()
    return Columns(title, words, bars, show(top), *ends, merged, line, pieces)


def stretches(values: Sequence[float | None], top: float) -> list[Stretch]:
    """A line over columns of equal width; neighbours of the same height are one piece."""
    pieces: list[Stretch] = []
    step = 100 / len(values)
    for number, value in enumerate(values):
        if value is None:
            continue
        x1, x2, y = (
            round(n, 3) for n in (number * step, number * step + step, 100 - 100 * value / top)
        )
        if pieces and pieces[-1].x2 == x1 and pieces[-1].y == y:
            pieces[-1] = replace(pieces[-1], x2=x2)
        else:
            rise = pieces[-1].y if pieces and pieces[-1].x2 == x1 else None
            pieces.append(Stretch(x1, x2, y, rise))
    return pieces


def merge(bars: Sequence[Bar]) -> tuple[list[Bar], int]:
    """At most `MOST_BARS` bars, each the largest of its group, and the size of a group."""
    width = math.ceil(len(bars) / MOST_BARS) or 1
    groups = [bars[start : start + width] for start in range(0, len(bars), width)]
    return [max(group, key=lambda bar: bar.value) for group in groups], width


def scale_end(value: float) -> float:
    """The end of a scale, at or above the value: a small number times a power of ten."""
    if value < 1e-300:  # also numbers so small that their power of ten is 0
        return 1
    power = 10.0 ** math.floor(math.log10(value))
    return next(
        power * step for step in (1, 1.5, 2, 3, 4, 5, 6, 8, 10, 20) if power * step >= value
    )
