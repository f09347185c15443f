"""Guards: a plan that removes or changes more of a table than is allowed is refused.

A limit counts keys that the state had: those that leave, and those whose item changes. New keys do
not count, because nothing that readers have is lost by them.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from loader.change_limit import ChangeLimit
from loader.items.export import MAX_DELETES, MIN_ROWS, Export
from loader.settings import Settings

SAMPLE = 5
REFUSED = "REFUSED"


@dataclass(frozen=True)
class GuardLimits:
    """The limits of an export in one run."""

    min_rows: int = MIN_ROWS
    max_deletes: ChangeLimit = MAX_DELETES
    max_changes: ChangeLimit | None = None


@dataclass(frozen=True)
class GuardFacts:
    """What a plan found. `keys` are those of the state; None: there is no state, so no guard of
    changes. `changed` and `deletes` are some of them. The samples are readable keys."""

    export: str
    model: str
    table: str
    rows: int
    keys: int | None = None
    new: int = 0
    changed: int = 0
    deletes: int = 0
    deleted_keys: Sequence[str] = ()
    changed_keys: Sequence[str] = ()


def guard_limits(declared: Export | GuardLimits, settings: Settings) -> GuardLimits:
    """Those of the command line, before those of the exposure or of a kept plan."""
    return GuardLimits(
        declared.min_rows if settings.min_rows is None else settings.min_rows,
        settings.max_deletes or declared.max_deletes,
        settings.max_changes or declared.max_changes,
    )


def guard_problems(
    facts: GuardFacts,
    limits: GuardLimits,
    allow_deletes: int | None = None,
    allow_changes: int | None = None,
) -> list[str]:
    """Every guard that the plan breaks, with the flag that lets exactly this plan pass."""
    problems = []
    if facts.rows < limits.min_rows:
        rows = f"{limits.min_rows:,} row{'s' if limits.min_rows > 1 else ''}"
        problems.append(
            f"export {facts.export} must read at least {rows} of {facts.model}, "
            f"got {facts.rows:,}: check the model, or let so few pass with --min-rows {facts.rows}"
        )
    guards = _guards(facts, limits, allow_deletes, allow_changes)
    return problems + [guard.problem() for guard in guards if guard.broken]


def guard_flags(facts: GuardFacts, limits: GuardLimits) -> list[str]:
    """The options that let exactly this plan pass; none if it breaks no limit."""
    flags = ["--min-rows", str(facts.rows)] if facts.rows < limits.min_rows else []
    for guard in _guards(facts, limits, None, None):
        if guard.broken:
            flags += [guard.flag, str(guard.count)]
    return flags


def guard_lines(
    facts: GuardFacts,
    limits: GuardLimits,
    allow_deletes: int | None = None,
    allow_changes: int | None = None,
) -> list[str]:
    """What each guard compared, one per line, for the screen of a plan."""
    lines = [guard.line() for guard in _guards(facts, limits, allow_deletes, allow_changes)]
    few = facts.rows < limits.min_rows
    if few or not lines:
        first = "" if lines else "no state, so nothing is deleted; "
        lines.insert(
            0,
            f"{first}{facts.rows:,} rows, at least {limits.min_rows:,}        "
            f"{REFUSED if few else 'ok'}",
        )
    return lines


@dataclass(frozen=True)
class _Guard:
    """A limit of changes, how many the plan has, and how many are allowed this time."""

    facts: GuardFacts
    verb: str
    past: str
    flag: str
    count: int
    sample: Sequence[str]
    limit: ChangeLimit
    allowed: int | None

    @property
    def keys(self) -> int:
        return self.facts.keys or 0

    @property
    def within(self) -> bool:
        return self.limit.allows(self.count, self.keys)

    @property
    def broken(self) -> bool:
        return not self.within and self.count != self.allowed

    def line(self) -> str:
        result = REFUSED if self.broken else "ok"
        if not self.within and not self.broken:
            result = f"ok with {self.flag} {self.count}"
        return (
            f"{self.count:,} {self.past} of {self.keys:,}{_percent(self.count, self.keys)}, "
            f"allowed {_readable(self.limit)}        {result}"
        )

    def problem(self) -> str:
        limit = f"at most {_readable(self.limit)} of the {self.keys:,} keys of table "
        limit += self.facts.table
        if self.limit.percent is not None:
            limit += f" ({self.limit.most(self.keys):,})"
        if self.allowed is not None:
            limit += f" or exactly the {self.allowed:,} of {self.flag}"
        sample = f", such as {', '.join(self.sample[:SAMPLE])}" if self.sample else ""
        return (
            f"export {self.facts.export} must {self.verb} {limit}, got {self.count:,}"
            f"{_percent(self.count, self.keys)}{sample}: check the model, or let exactly these "
            f"pass with {self.flag} {self.count}"
        )


def _guards(
    facts: GuardFacts,
    limits: GuardLimits,
    allow_deletes: int | None,
    allow_changes: int | None,
) -> Iterator[_Guard]:
    if facts.keys is None:
        return
    yield _Guard(
        facts,
        verb="delete",
        past="gone",
        flag="--allow-deletes",
        count=facts.deletes,
        sample=facts.deleted_keys,
        limit=limits.max_deletes,
        allowed=allow_deletes,
    )
    if limits.max_changes is not None:
        yield _Guard(
            facts,
            verb="change or delete",
            past="changed or gone",
            flag="--allow-changes",
            count=facts.changed + facts.deletes,
            sample=[*facts.changed_keys, *facts.deleted_keys],
            limit=limits.max_changes,
            allowed=allow_changes,
        )


def _percent(count: int, keys: int) -> str:
    """The share in percent, rounded up: one that breaks its limit never looks as if it held."""
    if not keys:
        return ""
    digits = 1 if 10 * count >= keys else 2
    parts = -(-100 * 10**digits * count // keys)
    return f" ({parts // 10**digits:,}.{parts % 10**digits:0{digits}} %)"


def _readable(limit: ChangeLimit) -> str:
    """`10 % and 500`."""
    percent = [] if limit.percent is None else [f"{limit.percent.normalize():f} %"]
    return " and ".join(percent + ([] if limit.number is None else [f"{limit.number:,}"]))
