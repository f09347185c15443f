"""The files of an export, as the loader writes them: known state, changesets, outcomes, commit."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any
from zlib import crc32

import pyarrow as pa

from loader.apply.commit import begin_run, commit_run, require_changes, require_current
from loader.apply.task import read_changes
from loader.dynamodb.identity import TableIdentity
from loader.errors import LoaderError, PlanFailed, StorageFailed
from loader.errors import Refused as LoaderRefused
from loader.items.collected_attribute import ITEMS
from loader.items.digest import digest
from loader.plan.known_state import KnownState, known_state
from loader.plan.partition_files import PartitionFiles
from loader.plan.partition_result import PartitionResult
from loader.plan.result import Plan
from loader.plan.same_rows import CompareTask, compared
from loader.storage import unfinished
from loader.storage.changeset import cut_slices
from loader.storage.location import Location
from loader.storage.prune import prune
from loader.storage.slice_outcome import APPLIED, NotSent, SliceOutcome, outcome_file
from loader.storage.state_file import CURRENT_FILE, State, read_state
from loader.storage.unfinished import Begun
from tests.support.protocol_model import Change, Changeset, Digests, Failed, Outcome, Refused

PARTITIONS = 2
SLICES = 3
ROWS_VERSION = "hashes"
KEEP_RUNS = 2


class LoaderFiles:
    """A local folder, and the functions of the loader that read and write it."""

    def __init__(self, folder: Path) -> None:
        self.export = Location(str(folder))
        self._items: dict[bytes, str] = {}  # by digest
        self._changesets: dict[str, Changeset] = {}
        self._committed: dict[str, State] = {}

    def known(self, identity: int) -> KnownState:
        return known_state(self.export, None, _identity(identity), PARTITIONS, {}, ROWS_VERSION)

    def digests(self, known: KnownState) -> Digests:
        digests: Digests = {}
        for part in known.parts.values():
            for row in part.read().to_pylist():
                digests[_name(row["key"])] = self._items[row["digest"]] if row["digest"] else None
        return digests

    def plan(
        self, run: str, known: KnownState, rows: dict[str, str], oversized: set[str], identity: int
    ) -> Changeset:
        try:
            results = self._results(run, known, rows, oversized)
        except StorageFailed as failed:  # a run that was committed since removed the files
            try:
                known.require_current()
            except PlanFailed as not_current:
                raise Failed(str(not_current)) from failed
            raise
        plan = Plan(
            run,
            "users",
            "users",
            "users",
            [("k", "S")],
            PARTITIONS,
            1,
            1.0,
            results,
            identity=_identity(identity),
            base=known.serial,
            base_run=known.run,
            folded=list(known.folded),
            rows_version=ROWS_VERSION,
        )
        folder = self._folder(run)
        plan.save(folder)
        pieces = cut_slices(plan.parts, SLICES, interleave=True)
        slices = [
            tuple(_change(change.request) for change in read_changes(folder, piece))
            for piece in pieces
        ]
        changeset = Changeset(run, identity, tuple(slices), plan)
        self._changesets[run] = changeset
        return changeset

    def _results(
        self, run: str, known: KnownState, rows: dict[str, str], oversized: set[str]
    ) -> list[PartitionResult]:
        """Reads only the rows that have changed, as far as the state knows."""
        files = PartitionFiles(self.export, f"{unfinished.RUNS}/{run}", known.parts)
        read = sorted(rows)
        if known.rows_comparable:
            read, same = _compared(files, rows, oversized)
            files = replace(files, same=same)
        results = []
        for partition in range(PARTITIONS):
            keys = [key for key in read if _partition(key) == partition]
            if not keys and partition not in known.parts:
                continue
            result = PartitionResult(partition)
            batches = [self._items_of(partition, keys, rows, oversized)] if keys else []
            changes = files.changes_of(result, None)
            files.write(changes, changes.of_items(batches))
            results.append(result)
        return results

    def require_current(self, plan: Changeset) -> None:
        try:
            require_changes(plan.detail, self._folder(plan.run))
            require_current(plan.detail, self.export)
        except LoaderRefused as refused:
            raise Refused(str(refused)) from refused

    def begin(self, plan: Changeset) -> tuple[dict[int, Outcome], str]:
        detail, folder = plan.detail, self._folder(plan.run)
        # A resumed run may have other settings; it keeps its slices.
        is_first = unfinished.read_begun(folder) is None
        pieces = cut_slices(detail.parts, SLICES if is_first else 1, interleave=True)
        begun = Begun(plan.run, asdict(detail.identity), PARTITIONS, 0.0, pieces)
        recorded = unfinished.record(folder, begun)
        assert recorded.begun.slices == cut_slices(detail.parts, SLICES, interleave=True)
        try:
            version = begin_run(detail, self.export, len(recorded.outcomes))
        except LoaderRefused as refused:
            raise Refused(str(refused)) from refused
        ended = {
            number: Outcome(rejected={_name(key) for key, _ in outcome.rejects})
            for number, outcome in recorded.outcomes.items()
            if outcome.is_complete
        }
        return ended, version

    def end_slice(self, plan: Changeset, number: int, outcome: Outcome) -> None:
        document = json.dumps(asdict(_slice_outcome(plan, number, outcome)))
        (self._folder(plan.run) / APPLIED).write(outcome_file(number), document.encode())

    def commit(self, plan: Changeset, outcomes: Sequence[Outcome], version: str | None) -> None:
        ended = [_slice_outcome(plan, number, outcome) for number, outcome in enumerate(outcomes)]
        try:
            state = commit_run(plan.detail, self._folder(plan.run), ended, version)
        except LoaderError as error:
            raise Failed(str(error)) from error
        self._committed[plan.run] = state

    def clean(self, plan: Changeset) -> None:
        prune(self.export, self._committed[plan.run], KEEP_RUNS)

    def unfinished(self) -> Changeset:
        state, _ = read_state(self.export)
        if state is None or not state.unfinished:
            raise Refused("nothing to resume")
        return self._changesets[state.unfinished[-1]]

    def delete_state(self) -> None:
        self.export.remove(CURRENT_FILE)

    def _folder(self, run: str) -> Location:
        return self.export / unfinished.RUNS / run

    def _items_of(
        self, partition: int, keys: list[str], rows: dict[str, str], oversized: set[str]
    ) -> pa.RecordBatch:
        items = [f'{_key(key)},"v":{{"S":"{rows[key]}"}}' for key in keys]
        self._items |= {digest(item): rows[key] for key, item in zip(keys, items, strict=True)}
        columns: dict[str, list[Any]] = {
            "partition": [partition] * len(keys),
            "key": [_key(key) for key in keys],
            "item": items,
            "size": [4] * len(keys),
            "rows": [1] * len(keys),
            "dropped": [0] * len(keys),
            "problem": ["too large" if key in oversized else None for key in keys],
            "rows_hash": [_rows_hash(key, rows, oversized) for key in keys],
        }
        return pa.RecordBatch.from_pydict(columns, schema=ITEMS)


def _identity(number: int) -> TableIdentity:
    return TableIdentity("users", "us-east-1", "http://localhost", table_id=str(number))


def _partition(key: str) -> int:
    return ord(key) % PARTITIONS


def _key(key: str) -> str:
    return f'"k":{{"S":"{key}"}}'


def _rows_hash(key: str, rows: dict[str, str], oversized: set[str]) -> int:
    return crc32(f"{key} {rows[key]} {key in oversized}".encode())


def _compared(
    files: PartitionFiles, rows: dict[str, str], oversized: set[str]
) -> tuple[list[str], dict[int | None, str]]:
    """The keys whose rows must be read, and the file of each partition with the others."""
    keys = sorted(rows, key=lambda key: (_partition(key), key))
    names = {ord(key): key for key in keys}
    batch = pa.RecordBatch.from_pydict(
        {
            "partition": pa.array(map(_partition, keys), pa.int32()),
            "key": pa.array(map(_key, keys), pa.string()),
            "row_count": pa.array([1] * len(keys), pa.int64()),
            "rows_hash": pa.array([_rows_hash(key, rows, oversized) for key in keys], pa.int64()),
            "key_hash": pa.array(names, pa.int64()),
        }
    )
    (outcomes,) = CompareTask(files, PARTITIONS, None)(iter([batch] if keys else []))
    partitions = compared(outcomes.column("outcome").to_pylist())
    read = [names[number] for partition in partitions for number in partition.read]
    return read, {partition.partition: partition.file for partition in partitions if partition.file}


def _name(key: str) -> str:
    return str(json.loads(f"{{{key}}}")["k"]["S"])


def _change(request: str) -> Change:
    ((kind, body),) = json.loads(request).items()
    if kind == "PutRequest":
        return Change(body["Item"]["k"]["S"], body["Item"]["v"]["S"])
    return Change(body["Key"]["k"]["S"], None)


def _slice_outcome(plan: Changeset, number: int, outcome: Outcome) -> SliceOutcome:
    changes = len(plan.slices[number]) - len(outcome.rejected) - len(outcome.not_sent)
    not_sent = [NotSent(0, len(outcome.not_sent), "dead")] if outcome.not_sent else []
    rejects = [(_key(key), "invalid") for key in sorted(outcome.rejected)]
    return SliceOutcome(number, changes, rejected=len(rejects), rejects=rejects, not_sent=not_sent)
