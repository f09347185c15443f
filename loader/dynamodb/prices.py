"""The price of a write in a Region, from the package's file or the user's."""

import json
import pkgutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from loader.errors import Refused

PRICES_FILE = "prices.json"


@dataclass(frozen=True)
class Price:
    """Dollars per million write units on demand, and per provisioned write unit and hour.

    `asked` is the table's Region; `region` differs from it if the file has no price for it. `date`
    is when the price was last confirmed; `doubt` is why it may be wrong. `warm_unit` is charged
    once per unit by which warm throughput is raised, as for an hour of a provisioned one:
    https://aws.amazon.com/blogs/database/pre-warming-amazon-dynamodb-tables-with-warm-throughput/
    It was not confirmed. None: the file has none.
    """

    region: str
    asked: str
    million_write_units: float
    provisioned_unit_hour: float
    date: str
    source: str
    doubt: str = ""
    warm_unit: float | None = None


def read_price(region: str, file: Path | None = None) -> Price:
    """The price in the Region, or in the fallback Region of the file if it is missing."""
    try:
        prices: dict[str, Any] = json.loads(file.read_bytes() if file else _of_package())
        name = region if region in prices["regions"] else prices["fallback"]
        price = prices["regions"][name]
        million, hour = float(price["million_write_units"]), float(price["provisioned_unit_hour"])
        if not (million >= 0 and hour >= 0):
            raise ValueError(f"the prices {million:g} and {hour:g}")
        warm = price.get("warm_unit")
        if warm is not None and not (warm := float(warm)) >= 0:
            raise ValueError(f"the price {warm:g}")
        notes = str(price["date"]), str(price["source"]), str(price.get("doubt", ""))
        return Price(name, region, million, hour, *notes, warm)
    except (OSError, KeyError, TypeError, ValueError, AttributeError) as error:
        reason = " ".join(str(error).split())
        raise Refused(
            f"--prices must be a file with the structure of the loader's prices.json, got "
            f"{file or PRICES_FILE} ({type(error).__name__}: {reason}): see docs/read-a-plan.md"
        ) from None


def _of_package() -> bytes:
    """The content of the package's file; the package may be in an archive."""
    return pkgutil.get_data(__package__, PRICES_FILE) or b""
