"""DynamoDB's limits and weights, each with its source.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html
"""

# Constraints.html#limits-items: names and values together.
ITEM_BYTES = 400 * 1024
# Constraints.html#limits-partition-sort-keys: text and binary; numbers have no such limit.
KEY_BYTES = (2048, 1024)
# Constraints.html#limits-naming-rules-attributes: at least 1 character, less than 64 KB.
NAME_BYTES = 64 * 1024 - 1
# https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_KeySchemaElement.html
KEY_NAME_CHARACTERS = 255
# Constraints.html#limits-attributes: the value of an attribute is the first level.
LEVELS = 32
# Constraints.html#limits-data-types-number: 1E-130 to 9.99…E+125, either sign, 38 digits.
NUMBER_TOO_LARGE = 1e126
NUMBER_TOO_SMALL = 1e-130
NUMBER_DIGITS = 38
NUMBER_PLACES = 126  # before the point
NUMBER_ZEROS = 130  # after the point, before the first digit: fewer than these

# CapacityUnitCalculations.html: a list or a map weighs 3 bytes, and 1 more for each element.
CONTAINER_BYTES = 3
ELEMENT_BYTES = 1
# 1 write unit is 1 KB of item:
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/read-write-operations.html
WRITE_UNIT_BYTES = 1_024


def count_bytes(count: int) -> int:
    """Bytes of a whole number that is not negative: 1, and 1 per pair of digits.

    Pairs start at the decimal point; trailing zeros are free: 12 is one pair, 123 two, 1200 one.
    """
    pairs = 0
    while count and count % 100 == 0:
        count //= 100
    while count:
        count, pairs = count // 100, pairs + 1
    return 1 + pairs
