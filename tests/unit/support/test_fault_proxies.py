"""The same seed must give the same faults; `make faults` tests what the faults do."""

from tests.support.dynamodb_faults import none
from tests.support.fault_proxies import DynamoDBProxy, WarehouseProxy


def test_a_seed_decides_what_happens_to_the_nth_request() -> None:
    def numbers(seed: int) -> list[float]:
        proxy = DynamoDBProxy(1, none, seed)
        return [proxy.random_of(number).random() for number in range(20)]

    assert numbers(1) == numbers(1)
    assert numbers(1) != numbers(2)
    assert len(set(numbers(1))) == 20


def test_a_seed_decides_where_a_fault_begins() -> None:
    onsets = [DynamoDBProxy(1, none, seed).onset for seed in range(50)]
    chosen = [WarehouseProxy(1, seed).chosen for seed in range(50)]

    assert onsets == [DynamoDBProxy(1, none, seed).onset for seed in range(50)]
    assert (min(onsets), max(onsets), set(chosen)) == (5, 15, {1, 2, 3})
