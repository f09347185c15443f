"""A plot of a case for the eye: units per second over time, and what was allowed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from xml.sax.saxutils import escape

from benchmarks.plot import STYLE
from sandbox.capacity.log import Use
from sandbox.capacity.measure import Step

WIDTH, HEIGHT, LEFT, TOP, BOTTOM = 860, 320, 60, 40, 40
LINES = """
  .used { fill: none; stroke: #0969da; stroke-width: 1.5 }
  .others { fill: none; stroke: #8c959f; stroke-width: 1 }
  .allowed { fill: none; stroke: #cf222e; stroke-width: 1; stroke-dasharray: 6 3 }
  .throttled { fill: #cf222e; opacity: 0.3 }
"""


def svg(title: str, uses: Sequence[Use], others: Sequence[Use], steps: Sequence[Step]) -> str:
    """Blue: used, in seconds; grey: other traffic; red: allowed; red areas: throttled requests.

    The time begins with the first request.
    """
    begin = int(min((use.at for use in uses), default=0.0))
    end = max((use.at for use in [*uses, *others]), default=0.0) + 1
    used, other = _by_second(uses, end), _by_second(others, end)
    throttled = [sum(u.throttled for u in uses if int(u.at) == n) for n in range(int(end) + 1)]
    top = 1.1 * max([1.0, *used, *other, *(step.units for step in steps)])

    def x(at: float) -> float:
        return LEFT + (WIDTH - LEFT - 10) * max(0.0, at - begin) / (end - begin)

    def y(units: float) -> float:
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * units / top

    def line(name: str, points: Iterator[tuple[float, float]]) -> str:
        text = " ".join(f"{x(at):.1f},{y(units):.1f}" for at, units in points)
        return f'<polyline class="{name}" points="{text}"/>'

    most = max([1, *throttled])
    bars = [
        f'<rect class="throttled" x="{x(n):.1f}" y="{HEIGHT - BOTTOM - 60 * count / most:.1f}" '
        f'width="{x(n + 1) - x(n):.1f}" height="{60 * count / most:.1f}"/>'
        for n, count in enumerate(throttled)
        if count
    ]
    ticks = [
        f'<text class="quiet" x="{LEFT - 6}" y="{y(units) + 4:.1f}" text-anchor="end">'
        f"{units:,.0f}</text>"
        for units in sorted({0.0, *(step.units for step in steps)})
    ] + [
        f'<text class="quiet" x="{x(at):.1f}" y="{HEIGHT - BOTTOM + 18}">{at - begin} s</text>'
        for at in range(begin, int(end), 10)
    ]
    parts = [
        f'<text x="{LEFT}" y="24">{escape(title)} · at most {max(throttled)} requests throttled '
        "per second</text>",
        *bars,
        line("others", ((n + 0.5, units) for n, units in enumerate(other) if n >= begin)),
        line("used", ((n + 0.5, units) for n, units in enumerate(used) if n >= begin)),
        line("allowed", _corners(steps, end)),
        *ticks,
    ]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" '
        f'height="{HEIGHT}">\n<style>{STYLE}{LINES}</style>\n' + "\n".join(parts) + "\n</svg>\n"
    )


def _by_second(uses: Sequence[Use], end: float) -> list[float]:
    units = [0.0] * (int(end) + 1)
    for use in uses:
        units[int(use.at)] += use.units
    return units


def _corners(steps: Sequence[Step], end: float) -> Iterator[tuple[float, float]]:
    for step, following in zip(steps, [*steps[1:], Step(end, 0.0)], strict=True):
        yield max(0.0, step.at), step.units
        yield min(end, following.at), step.units
