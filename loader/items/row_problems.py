"""Why a row cannot become part of an item."""

from pyspark.sql import Column
from pyspark.sql import functions as F
from pyspark.sql import types as T

from loader.items import encoding
from loader.items.encoding import column
from loader.items.export import OMIT, REJECT, Export
from loader.items.limits import KEY_BYTES


def row_problem(export: Export, types: dict[str, T.DataType]) -> Column:
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
                column(c.column).isNull(),
                F.lit(f"column {c.column} must not be NULL in a set, got NULL"),
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
