"""The outcomes of an apply that broke off: slices that finished, and slices in doubt.

`applied/slices.json` records how an apply cut the changeset, and
`applied/<slice>.json` appears when a slice finishes. A slice without one is in doubt: any of its
changes may be in the table.
"""

import json
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, TypeVar

from loader.apply.slice_outcome import APPLIED, NotSent, SliceOutcome, outcome_file
from loader.apply.task import read_changes
from loader.plan.result import Plan
from loader.storage.changeset import Slice, cut_slices, request_attributes
from loader.storage.location import Location
from loader.storage.rejects import Rejects

SLICES = "slices.json"
T = TypeVar("T")


def begin(folder: Location, apply: str, slices: Sequence[Slice]) -> None:
    """Record how this apply cuts the changeset; outcomes of an earlier one no longer count."""
    document = {"apply": apply, "began": time.time(), "slices": [asdict(s) for s in slices]}
    (folder / APPLIED).write(SLICES, json.dumps(document).encode())


def began(folder: Location) -> float:
    """Start of the last apply in seconds since 1970; 0 if there was none."""
    try:
        return float(json.loads((folder / APPLIED).read(SLICES))["began"])
    except FileNotFoundError:
        return 0.0


def outcomes(plan: Plan, rejects: Rejects, cause: str) -> list[SliceOutcome]:
    """One outcome per slice of the last apply; `cause` is why it broke off.

    Changes of a slice in doubt count as not sent and are listed one by one. If no apply began,
    nothing was sent.
    """
    applied = rejects.folder / APPLIED
    try:
        document = json.loads(applied.read(SLICES))
    except FileNotFoundError:
        reason = f"not sent: no apply began ({cause})"
        return [_unsent(rejects, "", piece, reason) for piece in cut_slices(plan.parts, 1)]
    reason = f"unknown whether it was written: its slice did not finish ({cause})"
    apply = document["apply"]
    return [
        _finished(applied, apply, piece.number) or _unsent(rejects, apply, piece, reason)
        for piece in _parse(list[Slice], document["slices"])
    ]


def _finished(applied: Location, apply: str, number: int) -> SliceOutcome | None:
    """The outcome that this apply's task wrote; None if it wrote none."""
    try:
        document = json.loads(applied.read(outcome_file(number)))
    except FileNotFoundError:
        return None
    return _parse(SliceOutcome, document) if document["apply"] == apply else None


def _parse(kind: type[T], document: Any) -> T:
    from pydantic import TypeAdapter  # only a run that broke off pays for the import

    return TypeAdapter(kind).validate_python(document)


def _unsent(rejects: Rejects, apply: str, piece: Slice, reason: str) -> SliceOutcome:
    changes: Counter[int] = Counter()
    with rejects.shard(f"{apply}-{piece.number:05d}-in-doubt.jsonl") as shard:
        for change in read_changes(rejects.folder, piece):
            changes[change.partition] += 1
            shard.not_sent(change.partition, change.key, reason, request_attributes(change.request))
    not_sent = [NotSent(partition, count, reason) for partition, count in changes.items()]
    return SliceOutcome(piece.number, not_sent=not_sent, reject_shard=shard.file)
