"""What is known of an apply that was broken off: the slices that ended, and those in doubt.

The changeset is the write-ahead record: it has all changes. `applied/slices.json` says how an apply
cut it, and `applied/<slice>.json` appears when a slice has ended. A slice without one is in doubt:
DynamoDB may have any of its changes.
"""

import json
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict

from loader.apply.outcome import APPLIED, NotSent, SliceOutcome, outcome_file
from loader.apply.task import changes_of
from loader.plan.result import Plan
from loader.storage.changeset import Slice, cut_slices, request_attributes
from loader.storage.location import Location
from loader.storage.rejects import Rejects

SLICES = "slices.json"


def begin(folder: Location, apply: str, slices: Sequence[Slice]) -> None:
    """Forget the apply before, and note how this one cuts the changeset."""
    (folder / APPLIED).delete()
    pieces = [asdict(piece) for piece in slices]
    document = {"apply": apply, "began": time.time(), "slices": pieces}
    (folder / APPLIED).write(SLICES, json.dumps(document).encode())


def began(folder: Location) -> float:
    """When the apply began that began last, in seconds since 1970; 0 where none did."""
    try:
        return float(json.loads((folder / APPLIED).read(SLICES))["began"])
    except FileNotFoundError:
        return 0.0


def outcomes(planned: Plan, rejects: Rejects, cause: str) -> list[SliceOutcome]:
    """The outcome of every slice of the apply that began last; `cause` is why it broke off.

    The changes of a slice in doubt count as not sent, and are listed one by one. Where no apply
    began, all changes are.
    """
    applied = rejects.folder / APPLIED
    try:
        document = json.loads(applied.read(SLICES))
    except FileNotFoundError:
        return [_in_doubt(rejects, "", piece, cause) for piece in cut_slices(planned.parts, 1)]
    apply = document["apply"]
    slices = [Slice.from_dict(fields) for fields in document["slices"]]
    return [
        _ended(applied, apply, piece) or _in_doubt(rejects, apply, piece, cause) for piece in slices
    ]


def _ended(applied: Location, apply: str, piece: Slice) -> SliceOutcome | None:
    """The outcome that the slice's task left; None where it left none, or one of another apply."""
    try:
        document = json.loads(applied.read(outcome_file(piece.number)))
    except FileNotFoundError:
        return None
    return SliceOutcome.from_dict(document) if document.pop("apply") == apply else None


def _in_doubt(rejects: Rejects, apply: str, piece: Slice, cause: str) -> SliceOutcome:
    reason = f"its slice must be acknowledged to the end, got {cause}"
    changes: Counter[int] = Counter()
    with rejects.shard(f"{apply}-{piece.number:05d}-in-doubt.jsonl") as part:
        for change in changes_of(rejects.folder, piece):
            changes[change.partition] += 1
            part.not_sent(change.partition, change.key, reason, request_attributes(change.request))
    return SliceOutcome(
        piece.number,
        not_sent=[NotSent(partition, count, reason) for partition, count in changes.items()],
        rejects_file=part.file,
    )
