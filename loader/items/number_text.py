"""Numbers as the warehouse writes them, of any size: their range, their bytes and their order.

The text has no exponent, and no zeros that can be left out: `-0.5`, `1000`, `NaN`, `Infinity`.
"""

from pyspark.sql import Column
from pyspark.sql import functions as F

from loader.items.limits import NUMBER_DIGITS, NUMBER_PLACES, NUMBER_ZEROS

# A number in a message; PostgreSQL's have up to 147,455 digits.
SHOWN_CHARACTERS = 60
OUTER_PAIRS = r"^(?:00|\.)+|(?:00|\.)+$|\."
LARGEST = 2**31 - 1


def range_problem(value: Column, name: str) -> Column:
    """Why DynamoDB cannot hold the number exactly, or null."""
    figures = F.regexp_replace(F.translate(value, "-.", ""), "^0+|0+$", "")
    fraction = _fraction(value)
    zeros = F.length(fraction) - F.length(F.ltrim(F.translate(fraction, "0", " ")))
    fits = (
        ~_is_special(value)
        & (F.length(figures) <= NUMBER_DIGITS)
        & (F.length(_whole(value)) <= NUMBER_PLACES)
        & (zeros < NUMBER_ZEROS)
    )
    shown = F.when(
        F.length(value) > SHOWN_CHARACTERS,
        F.concat(F.substring(value, 1, SHOWN_CHARACTERS), F.lit("…")),
    ).otherwise(value)
    rule = f"{name} must be a number DynamoDB can hold, with at most {NUMBER_DIGITS} digits, got "
    return F.when(~fits, F.concat(F.lit(rule), shown))


def pairs(value: Column) -> Column:
    """Pairs of digits, counted from the decimal point, without outer zeros."""
    before = F.lpad(_whole(value), NUMBER_PLACES, "0")
    behind = F.rpad(_fraction(value), NUMBER_ZEROS + NUMBER_DIGITS, "0")
    return F.shiftright(F.length(F.regexp_replace(F.concat(before, behind), OUTER_PAIRS, "")), 1)


def sort_columns(value: Column) -> list[Column]:
    """Columns that together sort as the numbers do: NaN last, as in PostgreSQL."""
    negative = value.startswith("-")
    places = F.length(_whole(value))
    rank = (
        F.when(value == "NaN", F.lit(LARGEST))
        .when(value == "Infinity", F.lit(LARGEST - 1))
        .when(value == "-Infinity", F.lit(-LARGEST))
        .when(negative, -places)
        .otherwise(places)
    )
    # Of two negative numbers the one with the larger digits, or with more of them, is smaller.
    mirrored = F.concat(F.translate(value, "0123456789", "9876543210"), F.lit(":"))
    return [rank, F.when(negative, mirrored).otherwise(value)]


def _is_special(value: Column) -> Column:
    return value.endswith("N") | value.endswith("y")


def _whole(value: Column) -> Column:
    return F.replace(F.substring_index(value, ".", 1), F.lit("-"), F.lit(""))


def _fraction(value: Column) -> Column:
    """The digits after the point, "" if there are none."""
    return F.when(value.contains("."), F.substring_index(value, ".", -1)).otherwise(F.lit(""))
