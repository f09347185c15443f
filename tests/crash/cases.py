"""One crash and what follows it: which case a seed is, and how it is played and judged."""

from __future__ import annotations

import json
import random
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from loader.errors import COMPLETE, INCOMPLETE
from tests.crash.moments import Moment, Watched, strike_at_file, watched
from tests.crash.world import Place, World
from tests.faults.world import Outcome, Process

SEEDS = tuple(range(1, 49))
REFUSED, KILLED = 2, 137
SLOW_SECONDS = 0.2
WAIT_SECONDS = 120

Phase = Callable[[random.Random, bool], Moment]


def _planning(chance: random.Random, on_s3: bool) -> Moment:
    kinds = ["DescribeTable", r"PUT lock\.json", r"PUT changes/.*", r"PUT state/.*"]
    if on_s3:
        kind = chance.choice(kinds)
        number = chance.randint(1, 4) if "/" in kind else 1
        return Moment("planning", kind, number, chance.random() < 0.5)
    return Moment("planning", chance.choice(["lock.json$", "/changes/", "/state/"]), file=True)


def _planned(chance: random.Random, on_s3: bool) -> Moment:
    """The state file is replaced twice: by the begin and by the commit."""
    if on_s3:
        kind = chance.choice([r"plan\.json", r"applied/slices\.json", r"current\.json"])
        return Moment("planned", f"PUT {kind}", 1, chance.random() < 0.5)
    kind = chance.choice([r"plan\.json", r"applied/slices\.json", r"current\.json"])
    return Moment("planned", f"/{kind}$", file=True)


def _writing(chance: random.Random, _: bool) -> Moment:
    return Moment("writing", "BatchWriteItem", chance.randint(1, 12), chance.random() < 0.5)


def _slice_ended(chance: random.Random, on_s3: bool) -> Moment:
    number = chance.randint(1, 2)
    if on_s3:
        return Moment("slice", r"PUT applied/0.*", number, chance.random() < 0.5)
    return Moment("slice", r"/applied/0[^/]*\.json$", number, file=True)


def _before_commit(chance: random.Random, on_s3: bool) -> Moment:
    if on_s3:
        return Moment("before commit", r"PUT current\.json", 2, lands=False)
    return Moment("before commit", r"/applied/0[^/]*\.json$", 3, file=True)


def _in_commit(chance: random.Random, on_s3: bool) -> Moment:
    if on_s3:
        return Moment("in commit", r"PUT current\.json", 2)
    return Moment("in commit", r"/current\.json$", 2, file=True)


def _after_commit(chance: random.Random, on_s3: bool) -> Moment:
    if on_s3:
        kind = chance.choice([r"PUT committed\.json", r"PUT report\..*"])
        return Moment("after commit", kind, 1, chance.random() < 0.5)
    kind = chance.choice([r"/committed\.json$", r"/report\.json$"])
    return Moment("after commit", kind, file=True)


def _any_time(chance: random.Random, on_s3: bool) -> Moment:
    """The lock is renewed five times a second, from the check to the end."""
    if on_s3:
        return Moment("any time", r"PUT lock\.json", chance.randint(2, 40))
    return Moment("any time", "BatchWriteItem", chance.randint(1, 25), True)


PHASES: tuple[Phase, ...] = (
    _writing,
    _in_commit,
    _planned,
    _before_commit,
    _slice_ended,
    _planning,
    _after_commit,
    _any_time,
)
VICTIMS = ("driver", "all", "jvm", "workers", "driver", "stopped")
FOLLOW_UPS = ("load", "resume", "old changeset", "two loads", "crash again", "load")


@dataclass(frozen=True)
class Case:
    """A crash, chosen by its seed. `first`: a complete load came before, so there is a state.
    `has_table`: the table was there before all loads.

    The victim `stopped` is the whole run: it stands still until the next one has ended.
    """

    seed: int
    on_s3: bool
    first: bool
    has_table: bool
    moment: Moment
    victim: str
    follow_up: str


def case_of(seed: int) -> Case:
    """Phases, victims and follow-ups in turn, so that all of them come; the rest by chance."""
    chance = random.Random(seed)  # noqa: S311  faults, not secrets
    on_s3 = seed % 3 != 0
    moment = PHASES[seed % len(PHASES)](chance, on_s3)
    victim = VICTIMS[(seed + seed // len(VICTIMS)) % len(VICTIMS)]
    follow_up = FOLLOW_UPS[(seed // 2 + seed // 12) % len(FOLLOW_UPS)]
    first, has_table = chance.random() < 0.65, chance.random() < 0.6
    return Case(seed, on_s3, first, has_table, moment, victim, follow_up)


@dataclass
class Result:
    """What a case came to. `codes`: the exit codes, in the order of the ends of the runs."""

    case: Case
    struck: bool = False
    codes: list[int] = field(default_factory=list)
    missing: int = 0
    extra: int = 0
    different: int = 0
    foreign: bool = False
    zombie_writes: int = 0
    problems: list[str] = field(default_factory=list)

    @property
    def green(self) -> bool:
        wrong = self.missing or self.extra or self.different or self.zombie_writes
        return not wrong and not self.problems and self.struck and self.foreign

    def __str__(self) -> str:
        return "\n  ".join([repr(replace(self, problems=[])), *self.problems])


def play(world: World, seed: int) -> Result:
    case = case_of(seed)
    chance = random.Random(f"place {seed}")  # noqa: S311
    place = Place(world, f"crash_{seed}", chance, case.on_s3, case.has_table)
    result = Result(case)
    if case.first:
        _run(place, result, "load")
        place.change_model()
    kept = _plan(place, result)
    place.change_model()
    with _crash(place, case.moment, case.victim, result, SLOW_SECONDS) as crashed:
        place.change_model()
        with watched(world.sandbox.settings.dynamodb_port) as second:
            FOLLOWED[case.follow_up](place, result, second.port, kept)
            _run(place, result, "load", port=second.port)
    _judge(result, place, crashed, second)
    _verify(place, result)
    return result


def _run(
    place: Place,
    result: Result,
    verb: str,
    *arguments: str,
    port: int | None = None,
    codes: tuple[int, ...] = (COMPLETE,),
) -> Outcome:
    """Run a command; another exit code than these is a problem of the case."""
    outcome = place.run(place.command(verb, *arguments), port)
    _expect(result, verb, outcome, codes)
    return outcome


def _expect(result: Result, verb: str, outcome: Outcome, codes: tuple[int, ...]) -> None:
    result.codes.append(outcome.code)
    if outcome.code not in codes or "Traceback" in outcome.err:
        result.problems.append(f"{verb}: {outcome.code}, {outcome.out}{outcome.err}")


def _plan(place: Place, result: Result) -> str:
    """The folder of a plan that is made before the crash, and kept."""
    outcome = _run(place, result, "plan", "--json")
    if outcome.code:
        return ""
    return str(json.loads(outcome.out.splitlines()[-1])["folder"])


@contextmanager
def _crash(
    place: Place, moment: Moment, victim: str, result: Result, delay: float = 0.0
) -> Iterator[Watched]:
    """A load that is struck at the moment. It is dead in the block, or stands still.

    `delay` is the time of each of its writes, in seconds: workers without a driver have time to go
    on.
    """
    ready, over = threading.Event(), threading.Event()
    running: list[Process] = []

    def strike() -> None:
        ready.wait(WAIT_SECONDS)
        place.strike(running[0], victim)

    port = place.world.sandbox.settings.dynamodb_port
    with (
        watched(port, moment, strike, delay) as proxy,
        place.process(place.command("load"), proxy.port) as process,
    ):
        running.append(process)
        ready.set()
        ended = threading.Thread(target=_set_at_end, args=(process, over))
        ended.start()
        if moment.file:
            struck = strike_at_file(Path(place.storage), moment, strike, over)
        else:
            struck = proxy.wait(over)
        result.struck |= struck
        stopped = struck and victim == "stopped"
        if not stopped:
            ended.join()
        yield proxy
        if stopped:
            place.signal("all", signal.SIGCONT)
        ended.join()
        outcome = process.wait()
        codes = (KILLED,) if struck and victim in ("driver", "all") else (0, 1, 2)
        _expect(result, f"crashed load ({moment}, {victim})", outcome, codes)


def _set_at_end(process: Process, over: threading.Event) -> None:
    process.wait_for_driver()
    over.set()


def _judge(result: Result, place: Place, crashed: Watched, second: Watched) -> None:
    model, items = place.model(), place.items()
    result.foreign = {key: items.pop(key, None) for key in place.foreign} == place.foreign
    result.missing = len(model.keys() - items.keys())
    result.extra = len(items.keys() - model.keys())
    result.different = sum(items[key] != model[key] for key in items.keys() & model.keys())
    first = min(second.writes, default=float("inf"))
    result.zombie_writes = sum(write > first for write in crashed.writes)


def _verify(place: Place, result: Result) -> None:
    """The loader's own verdict: only the items of others are too many."""
    against = ("model", "state")[result.case.seed % 2]
    extra = len(place.foreign)
    codes = (INCOMPLETE,) if extra else (COMPLETE,)
    outcome = _run(place, result, "verify", place.name, "--against", against, "--json", codes=codes)
    verdict = json.loads(outcome.out or "{}")
    counts = [verdict.get(name) for name in ("missing", "extra", "different", "in_doubt")]
    if counts != [0, extra, 0, 0]:
        result.problems.append(f"verify against the {against}: {counts}, {outcome.err}")


# ---- what follows a crash, before the last load


def _nothing(place: Place, result: Result, port: int, kept: str) -> None:
    """The last load follows at once."""


def _resume(place: Place, result: Result, port: int, kept: str) -> None:
    """Refused if the run did not begin to write, or was committed."""
    _run(place, result, "resume", place.name, port=port, codes=(COMPLETE, REFUSED))


def _old_changeset(place: Place, result: Result, port: int, kept: str) -> None:
    """Applied only if nothing was written since it was planned."""
    _run(place, result, "apply", kept, port=port, codes=(COMPLETE, REFUSED))


def _two_loads(place: Place, result: Result, port: int, kept: str) -> None:
    """One of two loads at once may be refused; the other completes."""
    with place.process(place.command("load"), port) as process:
        outcome = place.run(place.command("load"), port)
        other = process.wait()
    codes = (COMPLETE, REFUSED)
    _expect(result, "load", outcome, codes)
    _expect(result, "load at once", other, codes)
    if outcome.code and other.code:
        result.problems.append("both loads were refused")


def _crash_again(place: Place, result: Result, port: int, kept: str) -> None:
    """A second load is killed while it writes; the model changes again."""
    moment = Moment("writing", "BatchWriteItem", place.random.randint(1, 8))
    with _crash(place, moment, "all", result):
        place.change_model()


FOLLOWED: dict[str, Callable[[Place, Result, int, str], None]] = {
    "load": _nothing,
    "resume": _resume,
    "old changeset": _old_changeset,
    "two loads": _two_loads,
    "crash again": _crash_again,
}
