"""Raise the warm throughput of a table before a load, once and for a price.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/warm-throughput.html
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError, WaiterError
from botocore.waiter import WaiterModel, create_waiter_with_client

from loader.dynamodb.allowed_rates import NEW_ON_DEMAND
from loader.dynamodb.description import TableDescription
from loader.dynamodb.prices import Price
from loader.errors import Refused, reason
from loader.pace.report import TABLE

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

DELAY_SECONDS = 5
WARM = "WarmThroughput"
# All that are raised are active; what has no status is not.
STATUSES = (
    "[Table.TableStatus, Table.WarmThroughput.Status, "
    "Table.GlobalSecondaryIndexes[].WarmThroughput.Status][]"
)
WAITERS = WaiterModel(
    {
        "version": 2,
        "waiters": {
            WARM: {
                "operation": "DescribeTable",
                "delay": DELAY_SECONDS,
                "maxAttempts": 1,
                "acceptors": [
                    {
                        "matcher": "pathAll",
                        "argument": STATUSES,
                        "expected": "ACTIVE",
                        "state": "success",
                    }
                ],
            }
        },
    }
)


@dataclass(frozen=True)
class PreWarming:
    """A raise to `units` per second; `before` has the units of the table (`TABLE`) and the global
    indexes that have fewer, by name."""

    table: str
    units: int
    before: dict[str, int]
    price: Price

    @property
    def dollars(self) -> float | None:
        """The charge, once; None if the price is unknown."""
        if self.price.warm_unit is None:
            return None
        return sum(self.units - units for units in self.before.values()) * self.price.warm_unit

    @property
    def cost(self) -> str:
        if self.dollars is None:
            return f"at a price that the price list does not have for {self.price.region}"
        return (
            f"for about ${self.dollars:,.2f}, once (${self.price.warm_unit:g} per unit in "
            f"{self.price.region}; check it, the price was not confirmed at its source)"
        )

    def __str__(self) -> str:
        resources = [
            f"{f'index {name}' if name else f'table {self.table}'} from {units:,}"
            for name, units in self.before.items()
        ]
        return f"{', '.join(resources)} to {self.units:,} warm write units/s {self.cost}"


def pre_warming(units: int, table: TableDescription, price: Price) -> PreWarming:
    """What must be raised for so many write units per second."""
    warm = {name: t.warm or NEW_ON_DEMAND for name, t in table.write_throughputs.items()}
    before = {name: has for name, has in warm.items() if has < units}
    return PreWarming(table.name, units, before, price)


def pre_warm_problems(
    units: int, is_confirmed: bool, table: TableDescription, price: Price
) -> Iterator[str]:
    """Why --pre-warm is useless for this table, or not allowed yet."""
    if not table.on_demand:
        yield (
            f"--pre-warm must be for a table on demand, got table {table.name} with "
            f"{table.throughput.provisioned or 0:,} provisioned write units: raise those, or load "
            "without --pre-warm"
        )
        return
    most = table.throughput.most
    if most and most < units:
        yield (
            f"--pre-warm must be at most the maximum on demand of table {table.name}, {most:,}, "
            f"got {units}: raise the maximum first, or pre-warm less"
        )
        return
    warming = pre_warming(units, table, price)
    if warming.before and not is_confirmed:
        yield (
            "--pre-warm must be confirmed, because it costs money and cannot be undone, got no "
            f"--yes: add --yes to raise {warming}"
        )


def pre_warm(dynamodb: "DynamoDBClient", warming: PreWarming, minutes: float) -> None:
    """Raise it and wait until it is active; raises `Refused` if that fails or takes longer."""
    throughput = {"WriteUnitsPerSecond": warming.units}
    request: dict[str, Any] = {"TableName": warming.table}
    if TABLE in warming.before:
        request[WARM] = throughput
    updates = [{"Update": {"IndexName": name, WARM: throughput}} for name in warming.before if name]
    if updates:
        request["GlobalSecondaryIndexUpdates"] = updates
    attempts = max(1, int(minutes * 60 / DELAY_SECONDS))
    name = warming.table
    try:
        answer: Any = dynamodb.update_table(**request)["TableDescription"]
        if WARM not in answer:
            raise Refused(
                f"cannot pre-warm table {name}: the endpoint {dynamodb.meta.endpoint_url} does "
                "not know warm throughput. Nothing was written: load without --pre-warm"
            )
        waiter = create_waiter_with_client(WARM, WAITERS, dynamodb)
        waiter.wait(TableName=name, WaiterConfig={"Delay": DELAY_SECONDS, "MaxAttempts": attempts})
    except WaiterError as error:
        cause = reason(error)
        if "Max attempts exceeded" in cause:
            cause = f"DynamoDB has not finished after {minutes:g} minutes"
        raise Refused(
            f"cannot pre-warm table {name}: {cause}. Nothing was written, and the raise goes on: "
            "load later, without --pre-warm"
        ) from None
    except (ClientError, BotoCoreError) as error:
        raise Refused(
            f"cannot pre-warm table {name}: {reason(error)}. Nothing was written: check the "
            "permission dynamodb:UpdateTable, or load without --pre-warm"
        ) from None
