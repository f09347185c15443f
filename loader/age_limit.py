"""How old something may be: `90m`, `24h` or `7d`."""

import re
from dataclasses import dataclass
from datetime import datetime

RULE = "be minutes, hours or days as 90m, 24h or 7d"
UNITS = {"m": 60, "h": 60 * 60, "d": 24 * 60 * 60}
AGE = re.compile(r"([1-9][0-9]{0,5})([mhd])", re.ASCII)


@dataclass(frozen=True)
class AgeLimit:
    """A number of a unit: m, h or d."""

    number: int
    unit: str

    def allows(self, then: datetime, now: datetime) -> bool:
        """Whether so much time or less lies between two moments."""
        return (now - then).total_seconds() <= self.number * UNITS[self.unit]

    def __str__(self) -> str:
        return f"{self.number}{self.unit}"


def age_limit(text: str) -> AgeLimit:
    """The limit that a text declares; raises `ValueError`."""
    if found := AGE.fullmatch(text.strip()):
        return AgeLimit(int(found[1]), found[2])
    raise ValueError(f"must {RULE}, got {text}")
