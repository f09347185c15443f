"""Dates and times as the warehouse writes them: their ISO form, their range, and their order.

The warehouse writes `2024-02-29 07:45:00.5`, and also `10000-01-01`, `0044-03-15 BC` and
`infinity`, which have no form in ISO 8601 with a year of four digits.
"""

from pyspark.sql import Column
from pyspark.sql import functions as F
from pyspark.sql import types as T

# Lengths of 2024-02-29T05:45:00 and 2024-02-29T05:45:00.500000.
SECONDS, MICROSECONDS = 19, 26
YEAR_DIGITS = 4
# A year before Christ has at most 4 digits, so this minus the year has 5.
BEFORE_CHRIST = 100_000
# Neither is in the text of a date; "-" < "." < "0" < "9" < ":" < "i".
BEFORE_DIGITS, AFTER_DIGITS = ".", ":"


def iso(value: Column, dtype: T.DataType) -> Column:
    """The text in ISO 8601.

    A timestamp with a time zone always has six digits of a second, because as a key `00.5Z` would
    sort before `00Z`. A time is that of 1970-01-01.
    """
    if isinstance(dtype, T.DateType):
        return value
    if isinstance(dtype, T.TimestampType):
        point = F.when(F.octet_length(value) == SECONDS, F.lit(".")).otherwise(F.lit(""))
        moment = F.replace(F.concat(value, point), F.lit(" "), F.lit("T"))
        return F.concat(F.rpad(moment, MICROSECONDS, "0"), F.lit("Z"))
    if isinstance(dtype, T.TimestampNTZType):
        moment = F.replace(value, F.lit(" "), F.lit("T"))
    else:
        moment = F.concat(F.lit("1970-01-01T"), value)
    # PostgreSQL leaves out zeros at the end of the fraction.
    has_zeros = (F.octet_length(moment) > SECONDS) & moment.endswith("0")
    return F.when(has_zeros, F.regexp_replace(moment, r"\.?0+$", "")).otherwise(moment)


def range_problem(value: Column, name: str) -> Column:
    """Why the text of a date or timestamp has no ISO form, or null."""
    rule = F.lit(f"{name} must be in the years 0001 to 9999, got ")
    return F.when(~_in_range(value), F.concat(rule, value))


def _in_range(value: Column) -> Column:
    """The year has four digits, and is not before Christ."""
    return (F.substring(value, YEAR_DIGITS + 1, 1) == "-") & ~value.endswith("C")


def sort_text(value: Column) -> Column:
    """A text that sorts by its bytes as the warehouse sorts dates or timestamps."""
    position = F.instr(value, "-")
    year = F.substring_index(value, "-", 1)
    rest = value.substr(position, F.length(value))
    before_christ = F.concat(
        F.lit(BEFORE_DIGITS), (F.lit(BEFORE_CHRIST) - year.cast("int")).cast("string"), rest
    )
    # One sign for each digit of the year beyond four; a date's year has up to seven.
    far = F.concat(F.lit(AFTER_DIGITS * 3).substr(F.lit(1), position - (YEAR_DIGITS + 1)), value)
    return (
        F.when(_in_range(value), value)
        .when(value.endswith("y"), value)
        .when(value.endswith("C"), before_christ)
        .otherwise(far)
    )
