"""Types of columns that the warehouse writes as text, so that no calendar of a JVM changes them.

Spark's types stand for three of them: `DateType` is the text of a date, `TimestampNTZType` that of
a timestamp, `TimestampType` that of a timestamp with a time zone, in UTC and without the zone. They
are in the ISO form of PostgreSQL and Redshift: `2024-02-29 07:45:00.5`, `0044-03-15 BC`,
`infinity`.
"""

from pyspark.sql import types as T

DATES = (T.DateType, T.TimestampType, T.TimestampNTZType)


class TimeOfDay(T.DataType):
    """The text of a time without a zone: `07:45:00.5`."""

    def simpleString(self) -> str:  # noqa: N802 the name is Spark's
        return "time"


class NumberText(T.DataType):
    """The text of a number of any size, without an exponent or outer zeros; `NaN`, `Infinity`."""

    def simpleString(self) -> str:  # noqa: N802
        return "numeric"


class WarehouseText(T.DataType):
    """The text of a value whose type the loader does not know.

    `ordered` is whether the texts sort as the warehouse sorts the values, `key` whether equal
    values have equal texts, `short` whether all texts have less than 64 bytes. Parsing the text is
    left to the reader of the item.
    """

    def __init__(
        self, name: str, ordered: bool = False, key: bool = True, short: bool = False
    ) -> None:
        self.name, self.ordered, self.key, self.short = name, ordered, key, short

    def simpleString(self) -> str:  # noqa: N802
        return self.name


class Unreadable(T.DataType):
    """A type that is refused; `cast` is an example of an expression that helps."""

    def __init__(self, name: str, cast: str) -> None:
        self.name, self.cast = name, cast

    def simpleString(self) -> str:  # noqa: N802
        return self.name


TEXTS = (*DATES, TimeOfDay, NumberText, WarehouseText)
