"""Numbers and lists as the page and the terminal show them."""

from collections.abc import Sequence

SIZES = {1: "B", 1024: "KB", 1024**2: "MB", 1024**3: "GB"}


def count(value: float) -> str:
    return f"{value:,.0f}"


def rate(value: float) -> str:
    """One decimal below 10, so that a small rate is not shown as 0."""
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
    """Bytes in the largest unit in which the number is at least 1."""
    unit = size_unit(value)
    return f"{value / unit:,.1f} ".replace(".0 ", " ") + SIZES[unit]


def size_unit(value: float) -> int:
    return max((unit for unit in SIZES if value >= unit), default=1)


def titled(title: str, texts: Sequence[str]) -> list[str]:
    """A line per text; only the first has the title."""
    return [f"  {title if not place else '':<10} {text}" for place, text in enumerate(texts)]
