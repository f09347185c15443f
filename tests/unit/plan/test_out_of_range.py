"""Partitions that the export does not have are one line, however many there are."""

from loader.plan.out_of_range import out_of_range_problem
from loader.plan.partition_result import PartitionResult

FIX = "build the model with the macro partition_column() and the exposure's number of partitions"


def problem(*numbers: int | None, with_key: bool = True) -> str | None:
    results = [PartitionResult(n, out_of_range=f'{{"id":{{"S":"{n}"}}}}') for n in numbers]
    return out_of_range_problem("p", 10, [PartitionResult(3), *results], with_key)


def test_there_is_no_problem_if_all_partitions_are_in_range() -> None:
    assert problem() is None


def test_one_partition_is_named_with_a_key() -> None:
    assert problem(31) == (
        f'partition column p must be 0 to 9, got 31 for key {{"id":{{"S":"31"}}}}: {FIX}'
    )


def test_what_is_sent_elsewhere_names_no_key() -> None:
    assert problem(31, with_key=False) == f"partition column p must be 0 to 9, got 31: {FIX}"


def test_many_partitions_are_ranges() -> None:
    assert problem(2_000, *range(10, 1_000), None) == (
        "partition column p must be 0 to 9, got NULL, 10 to 999, 2000 (992 values), NULL for key "
        f'{{"id":{{"S":"None"}}}}: {FIX}'
    )


def test_more_than_ten_ranges_are_a_number() -> None:
    assert problem(*range(11, 61, 2)) == (
        "partition column p must be 0 to 9, got 11, 13, 15, 17, 19, 21, 23, 25, 27, 29 and 15 more "
        f'(25 values), 11 for key {{"id":{{"S":"11"}}}}: {FIX}'
    )
