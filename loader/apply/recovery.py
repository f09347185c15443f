"""The outcomes of the slices that did not end: each of their changes is in doubt."""

from collections import Counter

from loader.apply.task import read_changes
from loader.storage.changeset import Slice, request_attributes
from loader.storage.rejects import Rejects
from loader.storage.slice_outcome import NotSent, SliceOutcome
from loader.storage.unfinished import Unfinished


def all_outcomes(run: Unfinished, rejects: Rejects, cause: str) -> list[SliceOutcome]:
    """One outcome per slice; `cause` is why some did not end.

    The changes of these count as not sent and are listed one by one: any of them may be in the
    table.
    """
    reason = f"unknown whether it was written: its slice did not finish ({cause})"
    return [
        run.outcomes.get(piece.number) or _in_doubt(rejects, piece, reason)
        for piece in run.begun.slices
    ]


def _in_doubt(rejects: Rejects, piece: Slice, reason: str) -> SliceOutcome:
    changes: Counter[int] = Counter()
    with rejects.shard(f"in-doubt-{piece.number:05d}.jsonl") as shard:
        for change in read_changes(rejects.folder, piece):
            changes[change.partition] += 1
            shard.not_sent(change.partition, change.key, reason, request_attributes(change.request))
    not_sent = [NotSent(partition, count, reason) for partition, count in changes.items()]
    return SliceOutcome(piece.number, not_sent=not_sent, reject_shard=shard.file)
