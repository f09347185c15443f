"""What a write costs in a region, from the package's own file or one of the user's."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from loader.errors import Refused

FILE = Path(__file__).with_name("prices.json")


@dataclass(frozen=True)
class Price:
    """Dollars for a million write request units on demand, and for a provisioned unit an hour.

    `region` is whose price it is; `asked` where the table is. They differ where the file does not
    know the table's region. `date` is when the price was last known to hold; `doubt` what speaks
    against it, or empty.
    """

    region: str
    asked: str
    million_write_units: float
    provisioned_unit_hour: float
    date: str
    source: str
    doubt: str = ""


def read_price(region: str, file: Path | None = None) -> Price:
    """The price of the region; that of the file's fallback region where it is not in the file."""
    place = file or FILE
    try:
        prices: dict[str, Any] = json.loads(place.read_text(encoding="utf-8"))
        name = region if region in prices["regions"] else prices["fallback"]
        found = prices["regions"][name]
        million, hour = float(found["million_write_units"]), float(found["provisioned_unit_hour"])
        if not (million >= 0 and hour >= 0):
            raise ValueError(f"the prices {million:g} and {hour:g}")
        told = (str(found["date"]), str(found["source"]), str(found.get("doubt", "")))
        return Price(name, region, million, hour, *told)
    except (OSError, KeyError, TypeError, ValueError, AttributeError) as error:
        reason = " ".join(str(error).split())
        raise Refused(
            f"--prices must be a file of the form of the loader's prices.json, got {place} "
            f"({type(error).__name__}: {reason}): see docs/operations.md"
        ) from None
