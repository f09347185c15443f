"""How a run ended, for each of its exports: facts without a key, a value of a row or a secret."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from loader import errors
from loader.errors import Guarded, LoaderError, Outdated, Refused, exports_of
from loader.interruption import Interrupted
from loader.next_command import again_command, plan_command, resume_command
from loader.observe.figures import plan_figures, report_figures
from loader.observe.outcomes import COMPLETE, FAILED, INCOMPLETE, INTERRUPTED, OUTCOMES, REFUSED
from loader.package_version import package_version
from loader.plan.guards import guard_flags, guard_limits, guard_problems
from loader.plan.result import Plan
from loader.report.journal import Journal
from loader.report.refusals import GUARD_STEP, PLAN_STEP, STEP
from loader.report.timing import Step
from loader.report.totals import Report
from loader.settings import Settings
from loader.storage.location import Location
from loader.storage.unfinished import RUNS

RESUME = "resume"  # the command
# CloudWatch takes events of 256 KB, and some drivers of logs 16 KB.
MOST_REASONS, MOST_REASON = 10, 1_000
CODE_FAILED, CODE_INTERRUPTED = errors.INCOMPLETE, errors.INTERRUPTED


@dataclass(frozen=True)
class ExportEnd:
    """How the run of one export ended. `figures` are its metrics that are known.

    `missing` says why it is not complete, without keys: of an error that may quote rows or keys,
    it has only the class.
    """

    export: str
    outcome: str
    run: str = ""
    table: str = ""
    model: str = ""
    folder: str = ""
    guarded: bool = False
    deviates: Sequence[str] = ()
    missing: Sequence[str] = ()
    next_step: str = ""
    next_command: str = ""
    figures: dict[str, float] = field(default_factory=dict)

    @property
    def is_complete(self) -> bool:
        return self.outcome == COMPLETE

    @property
    def reasons(self) -> list[str]:
        """`missing` as it is sent: a refused run may have very many or long problems."""
        reasons = [
            text if len(text) <= MOST_REASON else f"{text[:MOST_REASON]}…"
            for text in self.missing[:MOST_REASONS]
        ]
        more = len(self.missing) - len(reasons)
        return [*reasons, f"{more:,} more"] if more else reasons

    @property
    def metrics(self) -> dict[str, float]:
        """All that is known but what only the command knows: its exit code and its deliveries."""
        return {
            "runs": 1,
            **{outcome: int(outcome == self.outcome) for outcome in OUTCOMES},
            "guarded": int(self.guarded),
            "deviates": len(self.deviates),
            **self.figures,
        }


@dataclass(frozen=True)
class RunEnd:
    """How one command ended. `began` is in seconds since 1970.

    `interrupted`: a signal ended it, maybe after all its exports had ended.
    """

    command: str
    exit_code: int
    began: float
    seconds: float
    exports: Sequence[ExportEnd]
    steps: Sequence[Step] = ()
    version: str = ""
    interrupted: bool = False

    @property
    def run(self) -> str:
        return next((end.run for end in self.exports if end.run), "")

    @property
    def outcome(self) -> str:
        """The worst of its exports, unless a signal ended it."""
        if self.interrupted:
            return INTERRUPTED
        order = (INTERRUPTED, FAILED, REFUSED, INCOMPLETE, COMPLETE)
        return min((end.outcome for end in self.exports), key=order.index, default=COMPLETE)


def run_end(
    known: Journal | None, command: str, names: Sequence[str], error: BaseException | None
) -> RunEnd:
    """The end of a command; `error` is what ended it, `names` are the exports that were asked for.

    An export that the error leaves without a result ended by it. Without a journal, the settings
    were refused: a command that goes on is not known.
    """
    journal = known or Journal()
    exports = [*journal.tables] or [*names]
    if not exports and error is not None:
        exports = exports_of(error.subject) if isinstance(error, Refused) else []
        exports = exports or [""]
    results = {name: journal.results.get(name, error) for name in exports}
    codes = [_exit_code(result) for result in [error, *results.values()]]
    elapsed = round(journal.watch.elapsed, 3)
    ends = [
        _end(journal, command, name, result)
        for name, result in results.items()
        if result is not None
    ]
    if known is None:
        ends = [replace(end, next_step="", next_command="") for end in ends]
    return RunEnd(
        command,
        max(codes, default=0),
        journal.watch.began,
        elapsed,
        [replace(end, figures={"seconds": elapsed, **end.figures}) for end in ends],
        tuple(journal.watch.steps),
        package_version(),
        _interrupts(error),
    )


def _exit_code(result: Report | BaseException | None) -> int:
    if result is None:
        return 0
    if isinstance(result, Report):
        return int(not result.complete)
    if isinstance(result, (LoaderError, Interrupted)):
        return result.exit_code
    return CODE_INTERRUPTED if _interrupts(result) else CODE_FAILED


def _interrupts(error: BaseException | None) -> bool:
    return isinstance(error, KeyboardInterrupt)


def _end(journal: Journal, command: str, export: str, result: Report | BaseException) -> ExportEnd:
    if isinstance(result, Report):
        return ExportEnd(
            export,
            COMPLETE if result.complete else INCOMPLETE,
            result.run,
            result.table,
            result.model,
            result.folder,
            deviates=result.deviates,
            missing=result.missing,
            next_step=result.next_step,
            next_command=result.next_command,
            figures=report_figures(result),
        )
    plan = journal.plans.get(export)
    guards = _guard_problems(plan, journal.settings) if plan else []
    guarded = isinstance(result, Guarded) and bool(guards)
    step, next_command = _next(journal, command, export, result, plan if guarded else None)
    outcome = INTERRUPTED if _interrupts(result) else FAILED
    if outcome == INTERRUPTED and step == STEP:
        step = "Load again with"
    return ExportEnd(
        export,
        REFUSED if isinstance(result, Refused) else outcome,
        journal.run,
        journal.tables.get(export, ""),
        plan.model if plan else "",
        _folder(journal, export),
        guarded=guarded,
        missing=guards if guarded else _causes(journal, result),
        next_step=step,
        next_command=next_command,
        figures=plan_figures(plan) if plan else {},
    )


def _folder(journal: Journal, export: str) -> str:
    """The folder of a run without a report, unless it is removed."""
    if journal.kept or export not in journal.begun | journal.recorded | {*journal.results}:
        return journal.kept
    return str(Location(journal.settings.storage) / export / RUNS / journal.run)


def _guard_problems(plan: Plan, settings: Settings) -> list[str]:
    """The guards that the plan breaks, without the keys that their messages name."""
    facts = replace(plan.guard_facts, deleted_keys=(), changed_keys=())
    allowed = settings.allow_deletes, settings.allow_changes
    return guard_problems(facts, guard_limits(plan.limits, settings), *allowed)


def _causes(journal: Journal, error: BaseException) -> list[str]:
    """The problems of a refused run, without keys; else the class of the error."""
    if isinstance(error, Guarded):
        plans = journal.plans.values()
        return [problem for plan in plans for problem in _guard_problems(plan, journal.settings)]
    if isinstance(error, Refused):
        return error.without_keys
    name = type(error).__name__
    return [] if _interrupts(error) else [f"{name}, whose message is in the output of the command"]


def _next(
    journal: Journal, command: str, export: str, error: BaseException, guarded: Plan | None
) -> tuple[str, str]:
    """The command that goes on, as the run's own messages have it; `guarded`: a refused plan.

    There is none for a kept plan that cannot be read: its options are not known.
    """
    settings = journal.settings
    if not export or (journal.kept and export not in journal.plans):
        return "", ""
    if journal.kept and isinstance(error, Outdated):
        return PLAN_STEP, plan_command(settings, export)
    if export in journal.begun:
        return "Continue with", resume_command(settings, export)
    if command == RESUME and not journal.kept:
        return STEP, resume_command(settings, export)
    flags: list[str] = []
    if guarded:
        flags = guard_flags(guarded.guard_facts, guard_limits(guarded.limits, settings))
    return (GUARD_STEP if flags else STEP), again_command(settings, export, journal.kept, flags)
