"""How much of a table's capacity a run may use: `2000`, `50%` or `max`."""

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

RULE = "be units per second as 2000, a share as 50%, or max"
MAX = "max"
SHARE = re.compile(r"([0-9]{1,3}(?:\.[0-9]{1,2})?)\s*%", re.ASCII)
NUMBER = re.compile(r"[0-9]{1,9}", re.ASCII)


@dataclass(frozen=True)
class CapacitySetting:
    """Units per second, or a percentage of the capacity; neither means all that is accepted."""

    units: int | None = None
    percent: Decimal | None = None

    def __str__(self) -> str:
        if self.units is not None:
            return str(self.units)
        return MAX if self.percent is None else f"{self.percent.normalize():f}%"


# The other half is for the applications that use the table meanwhile.
DEFAULT = CapacitySetting(percent=Decimal(50))


def capacity_setting(value: Any) -> CapacitySetting:
    """The setting that a text or a whole number declares; raises `ValueError`."""
    text = "" if isinstance(value, bool) else str(value).strip()
    if text == MAX:
        return CapacitySetting()
    if (share := SHARE.fullmatch(text)) and 0 < Decimal(share[1]) <= 100:
        return CapacitySetting(percent=Decimal(share[1]))
    if NUMBER.fullmatch(text) and int(text) > 0:
        return CapacitySetting(units=int(text))
    raise ValueError(f"must {RULE}, got {value}")
