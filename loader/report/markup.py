"""Text → HTML: whatever is not markup already is escaped where it is filled in."""

from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

SIZES = {1: "B", 1024: "KB", 1024**2: "MB", 1024**3: "GB"}


class Markup(str):
    """Text that is HTML, made by `fill` from a constant and escaped values."""

    __slots__ = ()


def fill(template: str, *values: object) -> Markup:
    """A constant template with `{}` for each value; what is neither `Markup` nor number is escaped.

    Quotes are escaped too, so a value may stand in a quoted attribute.
    """
    plain = (Markup, int, float)
    return Markup(template.format(*(v if isinstance(v, plain) else escape(str(v)) for v in values)))


def join(parts: Iterable[Markup]) -> Markup:
    """Markup after markup."""
    return Markup("".join(parts))


def section(title: str, content: str, anchor: str = "") -> Markup:
    """`content` is markup: `str` only because `+` of two gives one."""
    name = anchor or title.lower().replace(" ", "-")
    return fill('<section id="{}"><h2>{}</h2>{}</section>', name, title, Markup(content))


def note(text: str) -> Markup:
    return fill('<p class="note">{}</p>', text)


def figure(caption: str, words: str, chart: Markup) -> Markup:
    return fill("<figure><figcaption><b>{}</b> {}</figcaption>{}</figure>", caption, words, chart)


def numbers(table: Markup, title: str = "The numbers") -> Markup:
    return fill("<details><summary>{}</summary>{}</details>", title, table)


def table(
    heads: Sequence[str], rows: Sequence[Sequence[Any]], numbers: Sequence[int] | None = None
) -> Markup:
    """A table; `numbers` are the columns set flush right, by default all but the first."""
    right = range(1, len(heads)) if numbers is None else numbers

    def cell(tag: str, column: int, value: Any) -> Markup:
        kind = Markup(' class="number"') if column in right else Markup()
        scope = Markup(' scope="row"') if tag == "th" else Markup()
        return fill("<{}{}{}>{}</{}>", tag, scope, kind, value, tag)

    head = join(
        fill('<th scope="col"{}>{}</th>', Markup(' class="number"' if n in right else ""), text)
        for n, text in enumerate(heads)
    )
    body = join(
        fill("<tr>{}</tr>", join(cell("td" if n else "th", n, v) for n, v in enumerate(row)))
        for row in rows
    )
    return fill(
        '<div class="wide"><table><thead><tr>{}</tr></thead><tbody>{}</tbody></table></div>',
        head, body,
    )  # fmt: skip


def count(value: float) -> str:
    return f"{value:,.0f}"


def rate(value: float) -> str:
    """Whole where digits do not matter, but never 0 for something."""
    return f"{value:,.0f}" if value >= 10 or value == int(value) else f"{value:,.1f}"


def seconds(value: float) -> str:
    """12.3 s, 4 min 05 s, 2 h 07 min."""
    if value < 100:
        return f"{value:.1f} s"
    minutes, rest = divmod(round(value), 60)
    if minutes < 100:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"


def size(value: float) -> str:
    """Bytes in the largest unit of 1,024 that they fill."""
    unit = size_unit(value)
    return f"{value / unit:,.1f} ".replace(".0 ", " ") + SIZES[unit]


def size_unit(value: float) -> int:
    """The bytes of the largest unit that they fill."""
    return max((unit for unit in SIZES if value >= unit), default=1)
