import pytest

from loader.items.limits import count_bytes


@pytest.mark.parametrize(
    ("count", "size"),
    [
        (0, 1),
        (1, 2),
        (10, 2),
        (99, 2),
        (100, 2),
        (101, 3),
        (1_010, 3),
        (1_200, 2),
        (123, 3),
        (123_456, 4),
        (10**12 - 1, 7),
        (10**12, 2),
    ],
)
def test_a_count_weighs_one_byte_and_one_per_pair_of_digits_without_trailing_zeros(
    count: int, size: int
) -> None:
    assert count_bytes(count) == size
