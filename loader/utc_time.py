"""Times as dbt and the loader write them, in UTC."""

from datetime import datetime, timedelta, timezone

# Clocks differ. AWS too accepts requests whose time is so far from its own.
MOST_SKEW = timedelta(minutes=15)


def moment(text: str) -> datetime | None:
    """`2026-11-24T22:22:58.691205Z`, as dbt and the loader write UTC; None if it is no time."""
    try:
        read = datetime.fromisoformat(text)
    except ValueError:
        return None
    return read if read.tzinfo else read.replace(tzinfo=timezone.utc)


def utc_text(moment: datetime) -> str:
    """`2026-11-24T22:22:58Z`."""
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")


def is_of_the_future(time: datetime, now: datetime) -> bool:
    """Whether the clock that gave the time, or that of this machine, is wrong."""
    return time - now > MOST_SKEW
