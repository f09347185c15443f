import pytest

from loader.capacity_setting import capacity_setting
from loader.dynamodb.description import TableDescription, Throughput
from loader.dynamodb.read_rate import limit_text, read_limit


@pytest.mark.parametrize(
    ("setting", "on_demand", "reads", "expected", "text"),
    [
        ("50%", False, Throughput(provisioned=300), (150, "50% of the 300 that are provisioned"),
         "at most 150 per second (50% of the 300 that are provisioned)"),
        ("500", True, Throughput(warm=12_000), (500, "as set: 500"),
         "at most 500 per second (as set: 500)"),
        ("500", True, Throughput(warm=12_000, most=400), (400, "which are its maximum on demand"),
         "at most 400 per second (which are its maximum on demand)"),
        ("50%", True, Throughput(), (None, "its capacity is unknown, of which 50% is allowed"),
         "no limit (its capacity is unknown, of which 50% is allowed)"),
        ("max", False, Throughput(provisioned=300), (None, "as set: max"),
         "no limit (as set: max)"),
    ],
)  # fmt: skip
def test_the_limit_of_reads_follows_from_the_setting_and_the_table(
    setting: str,
    on_demand: bool,
    reads: Throughput,
    expected: tuple[float | None, str],
    text: str,
) -> None:
    table = TableDescription("items", (("k", "S"),), "ACTIVE", on_demand, reads=reads)

    assert (read_limit(capacity_setting(setting), table), limit_text(*expected)) == (expected, text)
