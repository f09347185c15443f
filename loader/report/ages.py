"""How long ago something was, in words."""

from datetime import datetime, timezone


def ago(moment: str, now: datetime) -> str:
    """How long ago `2026-11-24T22:22:58.691205Z` was; UTC, as dbt and the loader write it."""
    try:
        then = datetime.strptime(moment[:19], "%Y-%m-%dT%H:%M:%S").replace(tzinfo=timezone.utc)
    except ValueError:
        return "at an unknown time"
    return f"{duration((now - then).total_seconds())} ago"


def duration(seconds: float) -> str:
    """12 min, 7 h, 3 days: rounded down."""
    minutes = max(0, int(seconds // 60))
    if minutes < 120:
        return f"{minutes} min"
    return f"{minutes // 60} h" if minutes < 48 * 60 else f"{minutes // (24 * 60)} days"
