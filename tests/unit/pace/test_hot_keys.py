from dataclasses import dataclass

from loader.pace.hot_keys import HotKeys


@dataclass(frozen=True)
class Write:
    key: str
    write_units: int = 10


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_without_throttling_nothing_is_deferred() -> None:
    keys = HotKeys[Write](lambda write: write.key, Clock())
    writes = [Write("a"), Write("b")]
    assert (bool(keys), keys.defer(writes), keys.deferred) == (False, writes, 0)
    assert (keys.next(25), keys.seconds_until_due()) == ([], None)


def test_the_changes_of_a_hot_key_wait_for_their_pace_and_the_others_do_not() -> None:
    clock = Clock()
    keys = HotKeys[Write](lambda write: write.key, clock)
    keys.throttled("a")

    assert keys.defer([Write("a"), Write("b")] + [Write("a")] * 49) == [Write("b")]

    assert (keys.deferred, "a" in keys, "b" in keys) == (50, True, False)
    # 250 units of a key take a quarter of a second; a tenth is made up for.
    assert keys.next(25) == [Write("a")] * 25
    assert keys.next(25) == []
    assert keys.seconds_until_due() == 0.25
    clock.now = 0.3
    assert keys.next(20) == [Write("a")] * 20
    assert keys.next(25, at_once=True) == [Write("a")] * 5
    assert (keys.deferred, keys.seconds_until_due()) == (0, None)


def test_a_key_that_accepts_less_is_slowed_further() -> None:
    clock = Clock()
    keys = HotKeys[Write](lambda write: write.key, clock)
    keys.throttled("a")
    keys.defer([Write("a")] * 10_000)
    sent = 0.0
    accepted = 0.0
    while clock.now < 20.0:
        if batch := keys.next(25):
            units = sum(write.write_units for write in batch)
            sent += units
            if accepted + units <= 500 * clock.now + 100:
                accepted += units
                keys.answered(batch)
            else:
                keys.throttled("a")
        clock.now += 0.01
    assert 0.85 * 500 * 20 <= accepted <= sent <= 1.2 * accepted
