import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from loader.items.delta import STATE, Delta


def digest(number: int) -> bytes:
    return number.to_bytes(16, "big")


def state(*rows: tuple[str, int | None, int | None]) -> pa.Table:
    """(key, number of its item or None, size)."""
    fields = [
        {"key": key, "digest": None if item is None else digest(item), "size": size}
        for key, item, size in rows
    ]
    return pa.Table.from_pylist(fields, STATE)


def keys(*names: str) -> pa.StringArray:
    return pa.array(names, pa.string())


def test_each_key_of_a_batch_has_its_state_in_the_order_of_the_batch() -> None:
    delta = Delta(state(("a", 1, 10), ("b", 2, 20), ("c", None, None), ("d", 4, 40)))

    known = delta.take(keys("new", "c", "b", "a"))

    assert known.in_state.to_pylist() == [False, True, True, True]
    assert known.digest.to_pylist() == [None, None, digest(2), digest(1)]
    assert known.size.to_pylist() == [None, None, 20, 10]
    same = pa.array([digest(9), digest(3), digest(2), digest(7)], pa.binary(16))
    assert known.is_same(same).to_pylist() == [False, False, True, False]
    assert delta.left == state(("d", 4, 40))


def test_without_a_state_every_key_is_new() -> None:
    known = Delta().take(keys("a", "b"))

    assert known.in_state.to_pylist() == [False, False]
    assert (known.digest.null_count, Delta().left.num_rows) == (2, 0)


def test_a_batch_without_keys_takes_none() -> None:
    delta = Delta(state(("a", 1, 10)))

    assert len(delta.take(keys()).in_state) == 0
    assert delta.left == state(("a", 1, 10))


def test_the_rows_of_rejected_items_are_kept_and_no_longer_left() -> None:
    delta = Delta(state(("a", 1, 10), ("b", 2, 20), ("c", 3, 30)))

    kept = delta.keep(["c", "unknown"])

    assert pa.Table.from_batches([kept]) == state(("c", 3, 30))
    assert delta.left == state(("a", 1, 10), ("b", 2, 20))


def test_a_rejected_group_keeps_all_of_its_split_items_and_no_other_key() -> None:
    delta = Delta(state(("a,0", 1, 10), ("a,1", 2, 10), ("ab,0", 3, 10), ("b,0", 4, 10)))

    kept = delta.keep(["a"], prefixes=True)

    assert kept.column("key").to_pylist() == ["a,0", "a,1"]
    assert delta.left.column("key").to_pylist() == ["ab,0", "b,0"]


names = st.lists(st.text("abc", max_size=2), unique=True)


@given(names, st.lists(names, max_size=3), st.data())
def test_every_key_of_the_state_is_taken_once_or_left(
    known: list[str], batches: list[list[str]], data: st.DataObject
) -> None:
    chunks = data.draw(st.integers(1, 3))
    tables = [state(*((key, n, n) for n, key in enumerate(known) if n % chunks == c))
              for c in range(chunks)]  # fmt: skip
    delta = Delta(pa.concat_tables(tables))
    seen: set[str] = set()

    for batch in batches:
        fresh = [key for key in batch if key not in seen]
        found = delta.take(keys(*fresh)).in_state.to_pylist()
        assert found == [key in known for key in fresh]
        seen |= set(fresh)

    assert set(delta.left.column("key").to_pylist()) == set(known) - seen
