"""The problem of rows whose partition is not one of the export's, in one line."""

from collections.abc import Iterable, Sequence

from loader.plan.partition_result import PartitionResult

MOST_RANGES = 10


def out_of_range_problem(
    column: str, partitions: int, results: Iterable[PartitionResult], with_key: bool = True
) -> str | None:
    """None if every partition is one of the export's; `with_key` names a key as an example."""
    # NULL first, then by number.
    wrong = sorted(
        (result for result in results if result.out_of_range),
        key=lambda result: (result.partition is not None, result.partition or 0),
    )
    if not wrong:
        return None
    first = "NULL" if wrong[0].partition is None else str(wrong[0].partition)
    names = ["NULL"] if wrong[0].partition is None else []
    names += ranges([result.partition for result in wrong if result.partition is not None])
    got = first if len(wrong) == 1 else f"{_listed(names)} ({len(wrong):,} values), {first}"
    key = f" for key {wrong[0].out_of_range}" if with_key else ""
    return (
        f"partition column {column} must be 0 to {partitions - 1}, got {got}{key}: build the model "
        "with the macro partition_column() and the exposure's number of partitions"
    )


def ranges(numbers: Sequence[int]) -> list[str]:
    """Sorted numbers as `3`, `5 to 9`."""
    found: list[list[int]] = []
    for number in numbers:
        if found and number == found[-1][1] + 1:
            found[-1][1] = number
        else:
            found.append([number, number])
    return [str(first) if first == last else f"{first} to {last}" for first, last in found]


def _listed(names: list[str]) -> str:
    more = len(names) - MOST_RANGES
    return ", ".join(names[:MOST_RANGES]) + (f" and {more:,} more" if more > 0 else "")
