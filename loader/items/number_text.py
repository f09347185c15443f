"""Canonical texts of numbers of any size: how they are made, their range, bytes and order.

A text has no exponent, and no zeros that can be left out: `-0.5`, `1000`, `NaN`, `Infinity`. So
equal numbers have equal texts, whatever their type and scale (docs/decisions/0014).
"""

from pyspark.sql import Column
from pyspark.sql import functions as F

from loader.items.limits import NUMBER_DIGITS, NUMBER_PLACES, NUMBER_ZEROS

# A number in a message; PostgreSQL's have up to 147,455 digits.
SHOWN_CHARACTERS = 60
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


def without_zeros(text: Column) -> Column:
    """The canonical text of one with a decimal point: 1 for 1.00."""
    # The test takes a fifth of the CPU of the trimming.
    trimmed = _rtrim(_rtrim(text, "0"), ".")
    return F.when(text.endswith("0"), trimmed).otherwise(text)


def without_exponent(text: Column) -> Column:
    """The canonical text of one with an exponent: 0.0012 for 1.20E-3."""
    exponent = F.substring_index(text, "E", -1).cast("int")
    figures = _rtrim(F.translate(F.substring_index(text, "E", 1), "-.", ""), "0")
    places = exponent + 1  # before the point
    whole = F.call_function("rpad", figures, places, F.lit("0"))
    fraction = figures.substr(places + 1, F.length(figures))
    small = F.concat(F.lit("0."), F.call_function("repeat", F.lit("0"), -places), figures)
    large = F.when(fraction == "", whole).otherwise(F.concat(whole, F.lit("."), fraction))
    unsigned = F.when(places > 0, large).otherwise(small)
    sign = F.when(text.startswith("-"), F.lit("-")).otherwise(F.lit(""))
    return F.when(figures == "", F.lit("0")).otherwise(F.concat(sign, unsigned))


def pairs(text: Column) -> Column:
    """Pairs of digits, counted from the decimal point, without outer zeros.

    So 12 is one pair and 1.2 is two. Amazon's page leaves that out;
    paritysuite/dynamodb-conformance (numberByteSize.test.ts) measured it.
    """
    sign = text.startswith("-").cast("int")
    length, point = F.octet_length(text), F.instr(text, ".")
    outer = length - F.octet_length(_rtrim(text, "0"))
    whole = _half(length - sign + 1) - F.when(text.endswith("0"), _half(outer)).otherwise(F.lit(0))
    places = length - point
    fraction = text.substr(point + 1, places)
    inner = places - F.octet_length(F.call_function("ltrim", F.lit("0"), fraction))
    return (
        F.when(text == "0", F.lit(0))
        .when(point == 0, whole)
        .when(text.startswith("0.") | text.startswith("-0."), _half(places + 1) - _half(inner))
        .otherwise(_half(point - sign) + _half(places + 1))
    )


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


def _rtrim(text: Column, character: str) -> Column:
    return F.call_function("rtrim", F.lit(character), text)


def _half(number: Column) -> Column:
    return F.shiftright(number, 1)
