"""The identity of a table: a changeset is written only to the table that it was planned for."""

from collections.abc import Collection
from dataclasses import dataclass

from loader.dynamodb.description import Index, TableDescription
from loader.dynamodb.endpoint import Endpoint
from loader.items.table_name import full_name

REMEDY = "use the account, Region and endpoint of the plan, or plan again"


@dataclass(frozen=True)
class TableIdentity:
    """Where a table is, and which one; a missing one has no `table_id` and `created`.

    A table that is deleted and created again has another `table_id`. The ARN has the account. A
    missing table has one without a Region if a role reaches it, else none: its account is unknown.
    An emulator may give none of them.
    """

    name: str
    region: str
    endpoint: str
    arn: str = ""
    table_id: str = ""
    created: str = ""
    exists: bool = True

    def __str__(self) -> str:
        if not self.exists:
            return f"none{f' ({self.arn})' if self.arn else ''} in {self.region} at {self.endpoint}"
        place = self.arn or f"{self.name} in {self.region}"
        created, table_id = self.created or "unknown", self.table_id or "unknown"
        return f"{place} at {self.endpoint} (created {created}, id {table_id})"


def identity(endpoint: Endpoint, table: TableDescription | None) -> TableIdentity:
    place = (endpoint.table, endpoint.region, endpoint.url)
    if table is None:
        role = endpoint.role
        arn = full_name(endpoint.table, role.arn) if role else ""
        return TableIdentity(*place, arn, exists=False)
    return TableIdentity(*place, table.arn, table.table_id, table.created)


def identity_problem(planned: TableIdentity, actual: TableIdentity) -> str | None:
    """Why `actual` is not the table that was planned, or None.

    Two endpoints can lead to one table, such as a VPC endpoint: its id decides, where it has one.
    """
    if planned.table_id and actual.table_id:
        same = (planned.arn, planned.table_id) == (actual.arn, actual.table_id)
    else:
        same = planned == actual
    if same:
        return None
    plan = f"{planned}" if planned.exists else f"one to be created, {planned}"
    return (
        f"table {planned.name} must be the one that was planned, got {actual}: "
        f"the plan is for {plan}; {REMEDY}"
    )


def new_indexes(
    planned: TableDescription, table: TableDescription, attributes: Collection[str]
) -> list[str]:
    """Indexes that the plan has not checked, and whose key the export writes."""
    known = {_key(index) for index in planned.indexes}
    return [
        f"index {index.name} of table {table.name} must be one that was planned, got a new one: "
        "plan again, so that the attributes of its key are checked"
        for index in table.indexes
        if _key(index) not in known and any(name in attributes for name, _ in index.key)
    ]


def _key(index: Index) -> tuple[str, tuple[tuple[str, str], ...]]:
    return index.name, index.key
