"""A model's rows → encoded rows: sorted, and every value already DynamoDB JSON.

One encoded row per row read, with the columns
    partition   int     value of the partition column
    key         string  the key's attributes, `"user_id":{"S":"12347"}`, or the text alone where the
                        key is one (texts.py); null where a key is NULL
    problem     string  why the row cannot become part of an item; null where it can
    attributes  string  the other scalar attributes, each with a leading comma; not there for none
    fixed       int     bytes of key and attributes as DynamoDB counts them
    e0, e1, …   string  the element of each collected attribute, in the order of the export; null
                        for a NULL that is left out; the text alone where the column is one
    s0, s1, …   int     its bytes, with the 1 byte more that an element of a list costs; not there
                        for texts
    hash        long    what the rows are sorted by, where they are sorted by that alone
"""

from collections.abc import Callable
from functools import reduce

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as T

from loader.exports import KEEP, OMIT, REJECT, Collect, Export
from loader.plan import encoding
from loader.plan.collisions import HASH
from loader.plan.encoding import NULL, column
from loader.plan.item import Gather
from loader.plan.json_text import json_text
from loader.plan.limits import ELEMENT_BYTES, KEY_BYTES, LEVELS
from loader.plan.texts import TextElements, TextKey, Texts

KEY_LETTERS = ("S", "N", "B")
SET_LETTERS = ("S", "N", "B")
# Sorted by, then dropped; longer where the view has a column of this name.
SORT_KEY = "loader:key"
LONG_BITS = 63  # without the sign


def schema_problems(export: Export, schema: T.StructType) -> list[str]:
    """What the view lacks or has in a type that cannot be used; names the columns there are."""
    types = {field.name: field.dataType for field in schema.fields}
    problems = [
        f"column {name} must be in {export.relation}, got the columns {', '.join(types)}: "
        "mend the exposure or the model"
        for name in export.columns
        if name not in types
    ]

    def check(name: str, allowed: Callable[[T.DataType], bool], rule: str, remedy: str) -> None:
        if name in types and not allowed(types[name]):
            got = types[name].simpleString()
            problems.append(
                f"column {name} of {export.relation} must be {rule}, got {got}: {remedy}"
            )

    check(
        export.partition_column,
        lambda t: isinstance(t, encoding.INTEGERS),
        "an integer",
        "use the macro partition_column()",
    )
    for name in export.key:
        check(
            name,
            lambda t: (
                encoding.attribute_type(t) in KEY_LETTERS and not isinstance(t, encoding.FLOATS)
            ),
            "a string, integer, decimal, date, timestamp or binary to be a key",
            "cast it in the model",
        )
    for name in (*export.attributes, *(c.column for c in export.collect if c.kind == "list")):
        check(
            name,
            lambda t: encoding.attribute_type(t) is not None,
            "of a type that DynamoDB can hold",
            "cast it in the model",
        )
    for name in (c.column for c in export.collect if c.kind == "set"):
        check(
            name,
            lambda t: encoding.attribute_type(t) in SET_LETTERS,
            "a string, number or binary to be in a set",
            "cast it in the model, or use as: list",
        )
    return problems + _too_deep(export, types)


def _too_deep(export: Export, types: dict[str, T.DataType]) -> list[str]:
    """Columns that are nested deeper than DynamoDB allows; a list is a level of its own."""
    levels = [(name, 0) for name in export.attributes]
    levels += [(c.column, 1) for c in export.collect if c.kind == "list"]
    return [
        f"column {name} of {export.relation} must be nested at most {LEVELS} levels deep, "
        f"got {depth}: flatten it in the model"
        for name, above in levels
        if name in types and (depth := above + encoding.levels(types[name])) > LEVELS
    ]


def key_letters(export: Export, schema: T.StructType) -> tuple[str, ...]:
    """DynamoDB's type letter of each attribute of the table's key; the schema must have passed."""
    letters = tuple(encoding.attribute_type(schema[name].dataType) or "" for name in export.key)
    return (*letters, "N") if export.split else letters


def texts(export: Export, schema: T.StructType) -> Texts:
    """What `encode_rows` leaves as text: a key of one text, and the collected columns of text."""
    types = {field.name: field.dataType for field in schema.fields}
    elements = [
        TextElements(c.kind == "list", _collected_null(c)) if _is_text(types[c.column]) else None
        for c in export.collect
    ]
    key = TextKey(export.key[0]) if _is_text_key(export, types) else None
    return Texts(key, tuple(elements))


def _is_text_key(export: Export, types: dict[str, T.DataType]) -> bool:
    return len(export.key) == 1 and _is_text(types[export.key[0]])


def _is_text(dtype: T.DataType) -> bool:
    return isinstance(dtype, T.StringType)


def gathers(export: Export, schema: T.StructType) -> tuple[Gather, ...]:
    """How the elements e0, e1, … become attributes."""

    def letter(collect: Collect) -> str:
        element = encoding.attribute_type(schema[collect.column].dataType) or ""
        return "L" if collect.kind == "list" else f"{element}S"

    return tuple(
        Gather(
            c.attribute,
            letter(c),
            c.distinct or c.kind == "set",
            c.limit,
            c.nulls == OMIT,
            export.truncate,
            export.split,
            export.parts,
            c.dropped,
        )
        for c in export.collect
    )


def encode_rows(rows: DataFrame, export: Export, by_keys: bool = False) -> DataFrame:
    """The encoded rows, sorted within each Spark partition by partition, key and `order_by`.

    No shuffle: a key lies wholly in one partition, because the partition column is made of it.
    Keys come in the order of a hash, since only their rows must be together. Without `order_by`
    the hash is all they are sorted by, unless `by_keys`: see collisions.py.
    """
    types = {field.name: field.dataType for field in rows.schema.fields}
    order = [
        column(o.column).desc() if o.descending else column(o.column).asc() for o in export.order_by
    ]
    keys = [column(name) for name in export.key]
    by_hash = not (order or by_keys)
    sort_key = max(
        [SORT_KEY, *(f"{name}:" for name in types if name.startswith(SORT_KEY))], key=len
    )
    ordered = rows.withColumn(sort_key, _sort_key(export)).sortWithinPartitions(
        column(sort_key), *([] if by_hash else [*keys, *order])
    )
    return ordered.select(
        _partition(export).alias("partition"),
        (keys[0] if _is_text_key(export, types) else _key(export, types)).alias("key"),
        _problem(export, types).alias("problem"),
        *([_attributes(export, types).alias("attributes")] if export.attributes else []),
        _fixed(export, types).cast("int").alias("fixed"),
        *(_element(c, types[c.column]).alias(f"e{i}") for i, c in enumerate(export.collect)),
        *(
            _element_size(c, types[c.column]).cast("int").alias(f"s{i}")
            for i, c in enumerate(export.collect)
            if not _is_text(types[c.column])
        ),
        *([column(sort_key).alias(HASH)] if by_hash else []),
    )


def _partition(export: Export) -> Column:
    """As int. What is no int becomes the nearest one, which no partition has, and does not wrap."""
    partition = column(export.partition_column)
    limits = (F.lit(-(1 << 31)), F.lit((1 << 31) - 1))
    nearest = F.when(partition < limits[0], limits[0]).when(partition > limits[1], limits[1])
    return nearest.otherwise(partition).cast("int")


def _sort_key(export: Export) -> Column:
    """Partition in the high bits, a hash of the key in the rest: one number for most compares.

    Spark's sort compares the first column by a prefix that it keeps beside the row's address and
    opens the rows only where prefixes are equal. With this number they are equal for the rows of
    one key; with the partition column first they were for a whole partition, and the sort took
    twice the CPU (docs/performance.md).
    """
    bits = LONG_BITS - export.partitions.bit_length()
    # A partition that there is not, for which the plan will be refused, is before or after all.
    read, after = column(export.partition_column).cast("long"), export.partitions
    partition = F.greatest(F.least(read, F.lit(after)), F.lit(-1))
    hashed = F.xxhash64(*(column(name) for name in export.key))
    return F.shiftleft(partition, bits).bitwiseOR(hashed.bitwiseAND(F.lit((1 << bits) - 1)))


def _named(name: str, dtype: T.DataType) -> Column:
    """`"name":{…}`, null for null."""
    return F.concat(F.lit(json_text(name) + ":"), encoding.fragment(column(name), dtype))


def _key(export: Export, types: dict[str, T.DataType]) -> Column:
    first, *second = (_named(name, types[name]) for name in export.key)
    return F.concat(first, F.lit(","), second[0]) if second else first


def _attributes(export: Export, types: dict[str, T.DataType]) -> Column:
    """A NULL attribute is left out of the item, unless the export keeps it."""
    policies = dict(export.nulls)

    def part(name: str) -> Column:
        present = F.concat(F.lit(","), _named(name, types[name]))
        if policies.get(name) != KEEP:
            return present
        return F.coalesce(present, F.lit(f",{json_text(name)}:{NULL}"))

    return F.concat_ws("", *map(part, export.attributes))


def _fixed(export: Export, types: dict[str, T.DataType]) -> Column:
    def weigh(name: str) -> Column:
        return encoding.size(column(name), types[name]) + len(name.encode())

    policies = dict(export.nulls)
    always = [*export.key, *(name for name in export.attributes if policies.get(name) == KEEP)]
    present = [
        F.when(column(name).isNotNull(), weigh(name)).otherwise(F.lit(0))
        for name in export.attributes
        if name not in always
    ]
    return F.coalesce(reduce(Column.__add__, [*map(weigh, always), *present]), F.lit(0))


def _element(collect: Collect, dtype: T.DataType) -> Column:
    """A list's element with its type; a set's without, since the set has it; a text as it is."""
    if _is_text(dtype):
        return column(collect.column)
    if collect.kind == "set":
        return encoding.scalar(column(collect.column), dtype)
    element, null = encoding.fragment(column(collect.column), dtype), _collected_null(collect)
    return element if null is None else F.coalesce(element, F.lit(null))


def _collected_null(collect: Collect) -> str | None:
    """The JSON of a NULL that is collected; None where it is left out or, in a set, refused."""
    return None if collect.kind == "set" or collect.nulls == OMIT else NULL


def _element_size(collect: Collect, dtype: T.DataType) -> Column:
    own = ELEMENT_BYTES if collect.kind == "list" else 0
    return encoding.size(column(collect.column), dtype) + own


def _problem(export: Export, types: dict[str, T.DataType]) -> Column:
    """The first of a row's problems; null for a good row."""
    causes = [
        *(
            cause
            for name, limit in zip(export.key, KEY_BYTES, strict=False)
            for cause in _key_problems(name, types[name], limit)
        ),
        *(
            F.when(column(name).isNull(), F.lit(f"column {name} must not be NULL, got NULL"))
            for name in dict.fromkeys(
                [
                    *(name for name, policy in export.nulls if policy == REJECT),
                    *(c.column for c in export.collect if c.nulls == REJECT and c.kind == "list"),
                ]
            )
        ),
        *(
            F.when(
                column(c.column).isNull(), F.lit(f"a set must not hold NULL, got {c.column} NULL")
            )
            for c in export.collect
            if c.kind == "set" and c.nulls != OMIT
        ),
    ]
    for name in (*export.attributes, *(c.column for c in export.collect)):
        cause = encoding.problem(column(name), types[name], f"column {name}")
        if cause is not None:
            causes.append(cause)
    return F.coalesce(*causes)


def _key_problems(name: str, dtype: T.DataType, limit: int) -> list[Column]:
    causes = [F.when(column(name).isNull(), F.lit(f"key column {name} must not be NULL, got NULL"))]
    if encoding.attribute_type(dtype) in ("S", "B"):
        bytes_ = encoding.size(column(name), dtype)
        causes += [
            F.when(bytes_ == 0, F.lit(f"key column {name} must not be empty, got ''")),
            F.when(
                bytes_ > limit,
                F.concat(
                    F.lit(f"key column {name} must be at most {limit} bytes, got "),
                    bytes_.cast("string"),
                ),
            ),
        ]
    return causes
