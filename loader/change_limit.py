"""A limit on how much of a table one run changes: `10%`, `500`, or `10%,500`."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

RULE = "be a share as 10%, a number as 500, or both as 10%,500"
# Six decimals: a key in a hundred million.
SHARE = re.compile(r"([0-9]{1,3}(?:\.[0-9]{1,6})?)\s*%", re.ASCII)
NUMBER = re.compile(r"[0-9]{1,15}", re.ASCII)


@dataclass(frozen=True)
class ChangeLimit:
    """At most `percent` of the keys that the table has, and at most `number` of them."""

    percent: Decimal | None = None
    number: int | None = None

    def allows(self, changes: int, keys: int) -> bool:
        """Whether so many of the table's keys may change; exact, without rounding."""
        if self.number is not None and changes > self.number:
            return False
        return self.percent is None or 100 * changes <= self.percent * keys

    def most(self, keys: int) -> int:
        """The most changes that are allowed in a table with so many keys."""
        bounds = [keys if self.number is None else self.number]
        if self.percent is not None:
            bounds.append(int(self.percent * keys / 100))
        return min(bounds)

    def __str__(self) -> str:
        percent = [] if self.percent is None else [f"{self.percent.normalize():f}%"]
        return ",".join(percent + ([] if self.number is None else [str(self.number)]))


def change_limit(value: Any) -> ChangeLimit:
    """The limit that a text, a whole number or a list of both declares; raises `ValueError`."""
    if isinstance(value, str):
        terms: Iterable[Any] = value.split(",")
    else:
        terms = value if isinstance(value, (list, tuple)) else [value]
    percent: Decimal | None = None
    number: int | None = None
    for term in terms:
        text = str(term).strip()
        if isinstance(term, bool) or not isinstance(term, (str, int)):
            raise ValueError(f"must {RULE}, got {value}")
        if percent is None and (share := SHARE.fullmatch(text)) and Decimal(share[1]) <= 100:
            percent = Decimal(share[1])
        elif number is None and NUMBER.fullmatch(text):
            number = int(text)
        else:
            raise ValueError(f"must {RULE}, got {value}")
    if percent is None and number is None:
        raise ValueError(f"must {RULE}, got {value}")
    return ChangeLimit(percent, number)
