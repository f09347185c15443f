"""The plot: two bars per ratio, one of the loader and one of the baseline."""

from collections.abc import Sequence
from statistics import median
from xml.sax.saxutils import escape

from benchmarks.measurements import RATIOS, Measurement, Ratio, of_pairs, pairs, ratios

WIDTH, LEFT, RIGHT = 860, 20, 110
ROW, BAR, LABEL = 74, 14, 50
# For light and dark: GitHub shows the file on the background of the reader's theme.
STYLE = """
  text { font: 13px system-ui, sans-serif; fill: #24292f }
  .quiet { fill: #57606a } .baseline { fill: #afb8c1 } .ours { fill: #0969da }
  .limit { stroke: #cf222e; stroke-width: 2 }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 } .quiet { fill: #8d96a0 } .baseline { fill: #484f58 }
    .ours { fill: #4493f8 } .limit { stroke: #f85149 }
  }
"""


def svg(measurements: Sequence[Measurement]) -> str:
    """The plot as a standalone SVG, for light and dark themes."""
    medians, rounds = ratios(measurements), pairs(measurements)
    shown = [ratio for ratio in RATIOS if medians[ratio.name] is not None]
    rows = [_row(n, r, float(medians[r.name] or 0), rounds) for n, r in enumerate(shown)]
    height = ROW * len(shown) + 40
    legend = (
        f'<text class="quiet" x="{LEFT}" y="{height - 12}">blue: the loader · grey: the baseline '
        "· red: the limit · medians of pairs that ran in turn</text>"
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
        f'width="{WIDTH}" height="{height}" role="img" aria-label="The loader and its baselines">\n'
        f"<style>{STYLE}</style>\n" + "\n".join([*rows, legend]) + "\n</svg>\n"
    )


def _row(number: int, ratio: Ratio, value: float, rounds: list[dict[str, Measurement]]) -> str:
    top = ROW * number + 24
    longest = max(1.0, value, ratio.at_most or 0.0)
    scale = (WIDTH - LEFT - RIGHT) / longest
    limit = LEFT + ratio.at_most * scale if ratio.at_most else None
    numbers = (median(of_pairs(ratio.ours, rounds)), median(of_pairs(ratio.baseline, rounds)))
    bars = [("ours", value, numbers[0], top + 8), ("baseline", 1.0, numbers[1], top + 10 + BAR)]
    parts = [f'<text x="{LEFT}" y="{top}">{escape(ratio.title)}</text>']
    for kind, length, number_, y in bars:
        end = LEFT + length * scale
        # The red line must not cross a number.
        label = limit if limit and end <= limit < end + LABEL else end
        parts += [
            f'<rect class="{kind}" x="{LEFT}" y="{y}" width="{length * scale:.1f}" '
            f'height="{BAR}" rx="2"/>',
            f'<text class="quiet" x="{label + 8:.1f}" y="{y + 12}">{number_:.3g}</text>',
        ]
    if limit:
        parts.append(
            f'<line class="limit" x1="{limit:.1f}" x2="{limit:.1f}" y1="{top + 4}" '
            f'y2="{top + 12 + BAR}"/>'
        )
    return "\n".join(parts)
