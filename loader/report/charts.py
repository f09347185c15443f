"""Charts of the report page: inline SVG that keeps its text readable at any width.

Nothing is scaled: places along the width are percentages, text and heights are in pixels. Each
chart has a title and a description in words for those who do not see it.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from loader.report.markup import Markup, fill, join

BARS = 200  # at most so many in a chart: thinner ones cannot be told apart
PLOT_TOP, PLOT_HEIGHT, AXIS = 20, 116, 24
ROW_HEIGHT = 30
GRID = Markup(
    '<line class="grid" x1="0" x2="100%" y1="0" y2="0"/>'
    '<line class="grid" x1="0" x2="100%" y1="50%" y2="50%"/>'
    '<line class="grid" x1="0" x2="100%" y1="100%" y2="100%"/>'
)


@dataclass(frozen=True)
class Bar:
    """One bar: its value, and what it is of (`partition 7`, `second 12`)."""

    label: str
    value: float


def rows_chart(title: str, bars: Sequence[Bar], shown: Sequence[str]) -> Markup:
    """Horizontal bars, one a row, with the values as `shown` at their ends."""
    top = max((bar.value for bar in bars), default=0) or 1
    rows = []
    for number, (bar, text) in enumerate(zip(bars, shown, strict=True)):
        width = max(66 * bar.value / top, 0.3)
        middle = number * ROW_HEIGHT + ROW_HEIGHT // 2
        rows.append(
            fill(
                '<text class="name" x="0" y="{}">{}</text>'
                '<rect class="bar" x="16%" y="{}" width="{:.2f}%" height="18" rx="2"/>'
                '<text class="value" x="{:.2f}%" y="{}" dx="8">{}</text>',
                middle + 5, bar.label, middle - 9, width,
                16 + width, middle + 5, text,
            )
        )  # fmt: skip
    words = ", ".join(f"{bar.label} {text}" for bar, text in zip(bars, shown, strict=True))
    return _svg(title, words, len(bars) * ROW_HEIGHT, join(rows))


def columns_chart(
    title: str,
    description: str,
    bars: Sequence[Bar],
    ends: tuple[str, str],
    show: Callable[[float], str],
    mean: float | None = None,
    unit: float = 1,
) -> Markup:
    """Upright bars side by side under a scale; with a mean, a line there and the largest marked.

    `show` says a value in words, `ends` what the first and the last bar are; the scale is round
    in multiples of `unit`.
    """
    if not bars:
        return Markup()
    largest = max(bar.value for bar in bars)
    top = unit * scale_end(largest / unit)
    step = 100 / len(bars)
    gap = step * (0.12 if len(bars) <= BARS // 4 else 0)
    drawn = []
    for number, bar in enumerate(bars):
        height = 100 * bar.value / top
        kind = "bar most" if mean is not None and bar.value == largest else "bar"
        drawn.append(
            fill(
                '<rect class="{}" x="{:.3f}%" y="{:.2f}%" width="{:.3f}%" height="{:.2f}%">'
                "<title>{}: {}</title></rect>",
                kind, number * step + gap / 2, 100 - height, step - gap,
                height, bar.label, show(bar.value),
            )
        )  # fmt: skip
    inside = GRID + join(drawn)
    if mean is not None:
        y = 100 - 100 * mean / top
        inside += fill('<line class="mean" x1="0" x2="100%" y1="{0:.2f}%" y2="{0:.2f}%"/>', y)
    plot = fill(
        '<svg x="0" y="{}" width="100%" height="{}" class="plot">{}</svg>',
        PLOT_TOP, PLOT_HEIGHT, Markup(inside),
    )  # fmt: skip
    # The scale's end stands on its line, so that it needs no room at the side.
    scale = fill('<text class="tick" x="0" y="{}">{}</text>', PLOT_TOP - 5, show(top))
    height = PLOT_TOP + PLOT_HEIGHT + AXIS
    return _svg(title, description, height, Markup(plot + scale + _axis(ends)))


def merged(bars: Sequence[Bar]) -> tuple[list[Bar], int]:
    """At most `BARS` bars, and how many were made one: the largest stands for its neighbours."""
    width = math.ceil(len(bars) / BARS) or 1
    groups = [bars[start : start + width] for start in range(0, len(bars), width)]
    return [max(group, key=lambda bar: bar.value) for group in groups], width


def scale_end(value: float) -> float:
    """The end of a scale that holds the value: a small number times a power of ten."""
    if value <= 0:
        return 1
    power = 10.0 ** math.floor(math.log10(value))
    return next(
        power * step for step in (1, 1.5, 2, 3, 4, 5, 6, 8, 10, 20) if power * step >= value
    )


def _axis(ends: tuple[str, str]) -> Markup:
    y = PLOT_TOP + PLOT_HEIGHT + 17
    return fill(
        '<text class="tick" x="0" y="{}">{}</text><text class="tick end" x="100%" y="{}">{}</text>',
        y, ends[0], y, ends[1],
    )  # fmt: skip


def _svg(title: str, description: str, height: int, content: Markup) -> Markup:
    """Titles of a hover inside would name the whole chart twice: the name is an attribute."""
    return fill(
        '<svg class="chart" width="100%" height="{}" role="img" aria-label="{}. {}">{}</svg>',
        height, title, description, content,
    )  # fmt: skip
