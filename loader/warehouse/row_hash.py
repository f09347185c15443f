"""64-bit hashes of a row and of its key, as SQL over exactly what the loader reads.

Equal hashes mean that the loader would read equal values. The hashed text of a column is empty for
NULL and for nothing else, and differs for values that are read differently.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce

from pyspark.sql import types as T

from loader.items.attribute_types import FLOATS, INTEGERS
from loader.items.export import Export
from loader.items.text_types import TEXTS, WarehouseText
from loader.warehouse.column_types import SUPER, ColumnType, column_type
from loader.warehouse.columns import Column
from loader.warehouse.jdbc_query import sql_identifier

NUMBER = "cast({} as varchar)"
BOOLEAN = "case when {} then 't' else 'f' end"


@dataclass(frozen=True)
class RowHash:
    """SQL expressions of type BIGINT, never NULL: the hash of all columns read, and of the key.

    Hashes of different `version` are of different columns and cannot be compared.
    """

    row: str
    key: str
    version: str


@dataclass(frozen=True)
class Unhashable:
    """Why the rows of an export have no hash; the loader then reads all of them."""

    reason: str


def row_hash(export: Export, columns: Sequence[Column], kind: str) -> RowHash | Unhashable:
    """The hashes of an export's rows in a warehouse of this kind.

    `columns` has every column of the export.
    """
    by_name = {column.name: column for column in columns}
    text = _redshift_text if kind == "redshift" else _postgres_text
    texts, unhashable = {}, []
    for name in export.columns:
        type_ = column_type(by_name[name], kind)
        found = text(by_name[name], type_)
        # Doubles of different bits, such as 0 and -0, may be one number in DynamoDB.
        if found is None or (name in export.key and isinstance(type_.dtype, FLOATS)):
            unhashable.append(f"{name} ({by_name[name].type})")
        else:
            texts[name] = found
    if unhashable:
        return Unhashable(f"the warehouse has no exact hash of {', '.join(unhashable)}")
    hashed = _redshift_hash if kind == "redshift" else _postgres_hash
    row, key = hashed(list(texts.values())), hashed([texts[name] for name in export.key])
    if kind == "redshift" and len(export.key) == 1 and by_name[export.key[0]].type == "varchar":
        # Half of the CPU. NULL shares its hash with no text but by chance.
        key = f"coalesce(farmfingerprint64({sql_identifier(export.key[0])}), 0)"
    # Values of two types may have one text, but be read differently.
    types = [by_name[name].type for name in export.columns]
    version = hashlib.blake2b("\0".join([kind, row, key, *types]).encode(), digest_size=8)
    return RowHash(row, key, version.hexdigest())


def _redshift_hash(texts: Sequence[str]) -> str:
    """The hash of all texts with a separator, which none of them has.

    https://docs.aws.amazon.com/redshift/latest/dg/r_FARMFINGERPRINT64.html
    """
    return "farmfingerprint64(" + " || ';' || ".join(texts) + ")"


def _redshift_text(column: Column, type_: ColumnType) -> str | None:
    """A short text for a column; None if none is exact.

    FNV_HASH hashes the bytes of any value, and does not ignore the blanks at the end of a text. So
    no limit of a varchar and no collation matters, and a double keeps the digits that its text has
    not. https://docs.aws.amazon.com/redshift/latest/dg/r_FNV_HASH.html
    """
    name, dtype = sql_identifier(column.name), type_.dtype
    if isinstance(dtype, T.StringType):
        # Without a length, a cast cuts the text off after 256 bytes.
        exact = column.type in ("varchar", "bpchar", "text")
        text = NUMBER.format(f"fnv_hash({name if exact else f'cast({name} as varchar(65535))'})")
    elif isinstance(dtype, FLOATS):
        text = NUMBER.format(f"fnv_hash({name})")
    elif isinstance(dtype, T.BinaryType):
        text = NUMBER.format(f"farmfingerprint64({name})")
    elif isinstance(dtype, T.BooleanType):
        text = BOOLEAN.format(name)
    elif isinstance(dtype, (*INTEGERS, T.DecimalType)):
        text = NUMBER.format(name)
    elif isinstance(dtype, TEXTS) and dtype is not SUPER:
        text = type_.expression(name)
    else:
        return None
    # FNV_HASH of NULL is not documented.
    return f"case when {name} is null then '' else {text} end"


def _postgres_hash(texts: Sequence[str]) -> str:
    """The hash of each text is the seed of the next one: half the CPU of a text of all.

    Texts that a collation treats as equal have equal hashes, but in C all bytes count.
    https://www.postgresql.org/docs/current/collation.html
    """
    return reduce(lambda seed, text: f'hashtextextended(({text}) collate "C", {seed})', texts, "0")


def _postgres_text(column: Column, type_: ColumnType) -> str | None:
    """A text for a column, with a dot before a text that may be empty; None if none is exact."""
    name, dtype = sql_identifier(column.name), type_.dtype
    if isinstance(dtype, T.StringType):
        # A cast drops the blanks at the end of a char.
        is_char = column.type == "bpchar"
        text = f"format('.%s', {name})" if is_char else f"'.' || cast({name} as text)"
    elif isinstance(dtype, T.BinaryType):
        text = f"'.' || encode({name}, 'hex')"
    elif isinstance(dtype, T.BooleanType):
        text = BOOLEAN.format(name)
    elif isinstance(dtype, WarehouseText):
        text = f"'.' || {type_.expression(name)}"
    elif isinstance(dtype, (*INTEGERS, *FLOATS, *TEXTS, T.DecimalType, T.ArrayType)):
        text = NUMBER.format(type_.expression(name))
    else:
        return None
    return f"case when {name} is null then '' else {text} end"
