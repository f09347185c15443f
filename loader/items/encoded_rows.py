"""A model's rows → encoded rows: sorted, with every value as DynamoDB JSON.

One encoded row per row read, with the columns
    partition   int     value of the partition column
    key         string  JSON of the key's attributes, `"user_id":{"S":"12347"}`; the text itself
                        if the key is one text (text_encoding.py); null if a key column is NULL
    problem     string  why the row cannot become part of an item, else null
    attributes  string  the other scalar attributes, each with a leading comma; absent if none
    base_bytes  int     bytes of key and attributes as DynamoDB counts them
    element_0…  string  element of each collected attribute, in the order of the export; null for a
                        NULL that is left out; the text itself if the column is text
    size_0…     int     bytes of the element, 1 more in a list; absent for text
    hash        long    the sort key, only if the rows are sorted by it and not by the key
    row_hash    long    the warehouse's hash of the row, only if the rows have it
"""

from collections.abc import Sequence

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as T

from loader.items.attribute_types import attribute_type, is_text
from loader.items.column_mapping import collected_null, is_text_key
from loader.items.encoding import NULL, column, fragment, scalar
from loader.items.export import KEEP, Collect, Export
from loader.items.hash_collisions import HASH
from loader.items.index_key import IndexKey
from loader.items.json_text import json_text
from loader.items.key_runs import ROW_HASH
from loader.items.limits import ELEMENT_BYTES
from loader.items.row_problems import row_problem
from loader.items.sort_order import sort_columns
from loader.items.value_sizes import size, total

# Column to sort by, which is then dropped; the name is longer if the view has this column.
SORT_KEY = "loader:key"
# Columns per key: the number of its rows, the sum of their hashes, and the hash of the key.
ROW_COUNT, ROWS_HASH, KEY_HASH = KEY_COLUMNS = ("row_count", "rows_hash", "key_hash")

LONG_BITS = 63  # without the sign


def encode_rows(
    rows: DataFrame,
    schema: T.StructType,
    export: Export,
    by_keys: bool = False,
    index_keys: Sequence[IndexKey] = (),
    row_hash: str | None = None,
) -> DataFrame:
    """The encoded rows, sorted within each Spark partition by partition, key and `order_by`.

    No shuffle: the partition column is computed from the key, so a key is in one partition. Keys
    come in the order of a hash. Without `order_by` the key itself is not sorted by, unless
    `by_keys`: see hash_collisions.py. The warehouse returns rows in any order, so the values in a
    list are the last sort columns. `row_hash` is the column of the rows with their hash.
    """
    types = {field.name: field.dataType for field in schema.fields}
    order = [
        part.desc() if o.descending else part.asc()
        for o in export.order_by
        for part in sort_columns(column(o.column), types[o.column])
    ]
    keys = [column(name) for name in export.key]
    by_hash = not (order or by_keys)
    sort_key = max(
        [SORT_KEY, *(f"{name}:" for name in types if name.startswith(SORT_KEY))], key=len
    )
    ordered = rows.withColumn(sort_key, _sort_key(export)).sortWithinPartitions(
        column(sort_key), *([] if by_hash else [*keys, *order]), *_ties(export, types)
    )
    elements = [(i, c, types[c.column]) for i, c in enumerate(export.collect)]
    return ordered.select(
        _partition(export).alias("partition"),
        (keys[0] if is_text_key(export, types) else _key(export, types)).alias("key"),
        row_problem(export, types, index_keys).alias("problem"),
        *([_attributes(export, types).alias("attributes")] if export.attributes else []),
        _base_bytes(export, types).cast("int").alias("base_bytes"),
        *(_element(c, dtype).alias(f"element_{i}") for i, c, dtype in elements),
        *(
            _element_size(c, dtype).cast("int").alias(f"size_{i}")
            for i, c, dtype in elements
            if not is_text(dtype)
        ),
        *([column(sort_key).alias(HASH)] if by_hash else []),
        *([column(row_hash).alias(ROW_HASH)] if row_hash else []),
    )


def encode_keys(
    keys: DataFrame, schema: T.StructType, export: Export, names: Sequence[str]
) -> DataFrame:
    """`partition` and `key` as encoded rows have them, and KEY_COLUMNS; one row per key.

    Sorted within each Spark partition by the partition. `names` are those of the KEY_COLUMNS.
    """
    types = {field.name: field.dataType for field in schema.fields}
    key = column(export.key[0]) if is_text_key(export, types) else _key(export, types)
    return keys.select(
        _partition(export).alias("partition"),
        key.alias("key"),
        *(column(n).alias(alias) for n, alias in zip(names, KEY_COLUMNS, strict=True)),
    ).sortWithinPartitions("partition")


def _partition(export: Export) -> Column:
    """The partition as int; a larger or smaller value becomes the nearest int, which is invalid."""
    partition = column(export.partition_column)
    limits = (F.lit(-(1 << 31)), F.lit((1 << 31) - 1))
    nearest = F.when(partition < limits[0], limits[0]).when(partition > limits[1], limits[1])
    return nearest.otherwise(partition).cast("int")


def _sort_key(export: Export) -> Column:
    """Partition in the high bits and a hash of the key in the rest: one number to compare.

    Spark's sort compares a prefix of the first column, which it keeps with the row's address, and
    reads the rows only if prefixes are equal. With this number, only the rows of one key have equal
    prefixes. With the partition column first, all rows of a partition had, and the sort took twice
    the CPU (docs/decisions/0007).
    """
    bits = LONG_BITS - export.partitions.bit_length()
    # An invalid partition, for which the plan is refused, sorts before or after all others.
    read, after = column(export.partition_column).cast("long"), export.partitions
    partition = F.greatest(F.least(read, F.lit(after)), F.lit(-1))
    hashed = F.xxhash64(*(column(name) for name in export.key))
    return F.shiftleft(partition, bits).bitwiseOR(hashed.bitwiseAND(F.lit((1 << bits) - 1)))


def _ties(export: Export, types: dict[str, T.DataType]) -> list[Column]:
    """Columns that order the rows that `order_by` does not, unless the elements are sorted.

    This is left to Python where it can be: without radix sort, the sort of 5 million rows took
    half as much CPU again as the whole load.
    """
    if export.sorts_elements:
        return []
    every_row = export.truncate or export.split
    names = [c.column for c in export.collect if c.kind == "list" or c.limit or every_row]
    ordered = {order.column for order in export.order_by}
    return [
        # Spark does not compare maps.
        F.to_json(F.struct(column(name)))
        if attribute_type(types[name]) in ("L", "M")
        else column(name)
        for name in dict.fromkeys(names)
        if name not in ordered
    ]


def _named(name: str, dtype: T.DataType) -> Column:
    """`"name":{…}`, null for null."""
    return F.concat(F.lit(json_text(name) + ":"), fragment(column(name), dtype))


def _key(export: Export, types: dict[str, T.DataType]) -> Column:
    first, *second = (_named(name, types[name]) for name in export.key)
    return F.concat(first, F.lit(","), second[0]) if second else first


def _attributes(export: Export, types: dict[str, T.DataType]) -> Column:
    """A NULL attribute is left out of the item, unless the export keeps it."""
    policies = dict(export.nulls)

    def attribute(name: str) -> Column:
        present = F.concat(F.lit(","), _named(name, types[name]))
        if policies.get(name) != KEEP:
            return present
        return F.coalesce(present, F.lit(f",{json_text(name)}:{NULL}"))

    return F.concat_ws("", *map(attribute, export.attributes))


def _base_bytes(export: Export, types: dict[str, T.DataType]) -> Column:
    def weigh(name: str) -> Column:
        return size(column(name), types[name]) + len(name.encode())

    policies = dict(export.nulls)
    always = [*export.key, *(name for name in export.attributes if policies.get(name) == KEEP)]
    present = [
        F.when(column(name).isNotNull(), weigh(name)).otherwise(F.lit(0))
        for name in export.attributes
        if name not in always
    ]
    return F.coalesce(total([*map(weigh, always), *present]), F.lit(0))


def _element(collect: Collect, dtype: T.DataType) -> Column:
    """JSON with the type in a list, without it in a set; a text stays unencoded."""
    if is_text(dtype):
        return column(collect.column)
    if collect.kind == "set":
        return scalar(column(collect.column), dtype)
    element, null = fragment(column(collect.column), dtype), collected_null(collect)
    return element if null is None else F.coalesce(element, F.lit(null))


def _element_size(collect: Collect, dtype: T.DataType) -> Column:
    overhead = ELEMENT_BYTES if collect.kind == "list" else 0
    return size(column(collect.column), dtype) + overhead
