from loader.report.timing import Stopwatch


def test_a_lap_adds_the_time_since_the_last_one_to_its_step() -> None:
    ticks = iter([10.0, 12.0, 15.0, 19.0])
    watch = Stopwatch(clock=lambda: next(ticks))

    for step in ("start", "check", "start"):
        watch.lap(step)

    assert watch.seconds == {"start": 6.0, "check": 3.0}
