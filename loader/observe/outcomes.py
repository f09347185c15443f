"""How a run of an export ends, and which ends `--notify-on` names."""

from collections.abc import Collection

OUTCOMES = COMPLETE, INCOMPLETE, REFUSED, FAILED, INTERRUPTED = (
    *("complete", "incomplete", "refused", "failed", "interrupted"),
)
GUARDED, DEVIATES, PROBLEM, ALWAYS, NEVER = (
    *("guarded", "deviates", "problem", "always", "never"),
)
WORDS = (PROBLEM, ALWAYS, NEVER, GUARDED, DEVIATES, *OUTCOMES)


def is_wanted(words: Collection[str], outcome: str, guarded: bool, deviates: bool) -> bool:
    """Whether one of the words names this end of a run."""
    true = {outcome, ALWAYS}
    true |= {PROBLEM} if outcome != COMPLETE else set()
    true |= {GUARDED} if guarded else set()
    true |= {DEVIATES} if deviates else set()
    return NEVER not in words and not true.isdisjoint(words)
