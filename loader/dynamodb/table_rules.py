"""Rules of a table and its indexes: pure functions that return all problems."""

from collections.abc import Mapping

from loader.dynamodb.description import Index, Key, TableDescription
from loader.items.index_key import IndexKey
from loader.items.limits import KEY_BYTES
from loader.items.table_name import region_of

# A table accepts writes in these states only:
# https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TableDescription.html
WRITABLE = ("ACTIVE", "UPDATING")
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/encryption.usagenotes.html
WITHOUT_KEY = "INACCESSIBLE_ENCRYPTION_CREDENTIALS"


def missing_table(name: str) -> str:
    if region_of(name):
        return (
            f"table {name} must exist, got none: create it; the loader creates a table only by its "
            "name, in its own account and Region"
        )
    return (
        f"table {name} must exist, got none: create it, or let the loader do so with --create-table"
    )


def table_problems(table: TableDescription, key: Key) -> list[str]:
    """Reasons why the table cannot accept the export's items: its status or its key."""
    problems = []
    writable = " or ".join(WRITABLE)
    if table.status == WITHOUT_KEY:
        problems.append(
            f"table {table.name} must be {writable}, got {table.status}: enable its KMS key, or "
            "let DynamoDB use it again, within 7 days; then DynamoDB archives the table"
        )
    elif table.status not in WRITABLE:
        problems.append(
            f"table {table.name} must be {writable}, got {table.status}: "
            "wait until it is, or restore it"
        )
    if table.key != tuple(key):
        problems.append(
            f"table {table.name} must have the key {show_key(key)}, got {show_key(table.key)}: "
            "name it in the exposure's key, cast it in the model, or create another table"
        )
    return problems


def show_key(key: Key) -> str:
    return ", ".join(f"{name} ({attribute_type})" for name, attribute_type in key)


def index_problems(table: TableDescription, attribute_types: Mapping[str, str]) -> list[str]:
    """Key attributes of indexes that the export writes with the wrong type.

    `attribute_types` has the DynamoDB type of each attribute of the export. DynamoDB rejects the
    whole item, not only its entry in the index:
    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/GSI.html
    """
    return [
        f"attribute {name} must be {expected} as key of index {index.name} of table {table.name}, "
        f"got {attribute_types[name]}: cast the column in the model, or drop the index"
        for index in table.indexes
        for name, expected in index.key
        if attribute_types.get(name, expected) != expected and (name, expected) not in table.key
    ]


def index_notes(table: TableDescription, attribute_types: Mapping[str, str]) -> list[str]:
    """Indexes that stay empty: an item without the key of an index is not in the index."""
    return [
        f"index {index.name} stays empty: the export does not write its key attribute "
        + " and ".join(unwritten)
        for index in table.indexes
        if (unwritten := unwritten_key(index, attribute_types))
    ]


def index_keys(table: TableDescription) -> tuple[IndexKey, ...]:
    """The key attributes of all indexes, with their limits."""
    partition_bytes, sort_bytes = KEY_BYTES
    return tuple(
        IndexKey(
            name, index.name, partition_bytes if n < index.partition_attributes else sort_bytes
        )
        for index in table.indexes
        for n, (name, _) in enumerate(index.key)
    )


def unwritten_key(index: Index, attribute_types: Mapping[str, str]) -> list[str]:
    """The key attributes of the index that the export does not write."""
    return [name for name, _ in index.key if name not in attribute_types]
