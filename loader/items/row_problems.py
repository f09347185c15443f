"""Why a row cannot become part of an item, as Spark SQL expressions."""

from collections.abc import Iterator, Sequence

from pyspark.sql import Column
from pyspark.sql import functions as F
from pyspark.sql import types as T

from loader.items import date_text, number_text
from loader.items.attribute_types import FLOATS, attribute_type
from loader.items.encoding import column
from loader.items.export import KEEP, OMIT, REJECT, Export
from loader.items.index_key import IndexKey
from loader.items.limits import KEY_BYTES, NUMBER_TOO_LARGE, NUMBER_TOO_SMALL
from loader.items.text_types import DATES, NumberText
from loader.items.value_sizes import size


def row_problem(
    export: Export, types: dict[str, T.DataType], index_keys: Sequence[IndexKey] = ()
) -> Column:
    """The first of a row's problems; null for a good row."""
    in_index = (problem for key in index_keys for problem in _index_problems(export, types, key))
    return F.coalesce(*_problems(export, types), *in_index)


def _problems(export: Export, types: dict[str, T.DataType]) -> Iterator[Column]:
    for name, limit in zip(export.key, KEY_BYTES, strict=False):
        yield from _key_problems(name, types[name], limit)
    not_null = [name for name, policy in export.nulls if policy == REJECT]
    not_null += [c.column for c in export.collect if c.nulls == REJECT and c.kind == "list"]
    for name in dict.fromkeys(not_null):
        yield _if_null(name, f"column {name} must not be NULL, got NULL")
    for c in export.collect:
        if c.kind == "set" and c.nulls != OMIT:
            yield _if_null(c.column, f"column {c.column} must not be NULL in a set, got NULL")
    for name in (*export.attributes, *(c.column for c in export.collect)):
        problem = value_problem(column(name), types[name], f"column {name}")
        if problem is not None:
            yield problem


def _key_problems(name: str, dtype: T.DataType, limit: int) -> Iterator[Column]:
    yield _if_null(name, f"key column {name} must not be NULL, got NULL")
    yield from _length_problems(name, dtype, limit, f"key column {name}")
    problem = value_problem(column(name), dtype, f"key column {name}")
    if problem is not None:
        yield problem


def _length_problems(
    name: str, dtype: T.DataType, limit: int, subject: str, where: str = ""
) -> Iterator[Column]:
    """An empty or too long value of a key; a NULL counts 1 byte, so it is neither."""
    if attribute_type(dtype) in ("S", "B"):
        bytes_ = size(column(name), dtype)
        yield F.when(bytes_ == 0, F.lit(f"{subject} must not be empty{where}, got ''"))
        rule = F.lit(f"{subject} must be at most {limit} bytes{where}, got ")
        yield F.when(bytes_ > limit, F.concat(rule, bytes_.cast("string")))


def _index_problems(
    export: Export, types: dict[str, T.DataType], key: IndexKey
) -> Iterator[Column]:
    """Problems of a key attribute of an index; a value that is left out is none."""
    name = key.attribute
    if name not in (*export.key, *export.attributes):
        return
    if dict(export.nulls).get(name) == KEEP:
        yield _if_null(name, f"column {name} must not be NULL {key}, got NULL")
    yield from _length_problems(name, types[name], key.most_bytes, f"column {name}", f" {key}")


def _if_null(name: str, problem: str) -> Column:
    return F.when(column(name).isNull(), F.lit(problem))


def value_problem(value: Column, dtype: T.DataType, name: str) -> Column | None:
    """Why DynamoDB would refuse the value, or null; None if every value of the type is valid."""
    if isinstance(dtype, FLOATS):
        magnitude = F.abs(value.cast("double"))
        too_small = (magnitude < NUMBER_TOO_SMALL) & (magnitude > 0)
        rule = F.lit(f"{name} must be a number DynamoDB can hold, got ")
        return F.when(
            F.isnan(value) | (magnitude >= NUMBER_TOO_LARGE) | too_small,
            F.concat(rule, value.cast("string")),
        )
    if isinstance(dtype, NumberText):
        return number_text.range_problem(value, name)
    if isinstance(dtype, DATES):
        return date_text.range_problem(value, name)
    inner = {T.ArrayType: "elementType", T.MapType: "valueType"}.get(type(dtype))
    if inner:
        element = getattr(dtype, inner)
        if value_problem(F.lit(None), element, name) is None:
            return None
        values = value if isinstance(dtype, T.ArrayType) else F.map_values(value)
        # The first of F.filter cannot be taken inside another lambda before Spark 4.
        return F.aggregate(
            values,
            F.lit(None).cast("string"),
            lambda known, e: F.coalesce(known, value_problem(e, element, name)),  # type: ignore[arg-type]
        )
    if isinstance(dtype, T.StructType):
        fields = (
            value_problem(value.getField(f.name), f.dataType, f"{name}.{f.name}") for f in dtype
        )
        problems = [problem for problem in fields if problem is not None]
        return F.coalesce(*problems) if problems else None
    return None
