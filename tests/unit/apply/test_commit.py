"""The begin and the commit of a run, and the state after it."""

from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from loader.apply.commit import begin_run, commit_run, require_current
from loader.dynamodb.identity import TableIdentity
from loader.errors import ApplyFailed, Outdated
from loader.items.delta import STATE
from loader.plan.partition_files import PartitionFiles
from loader.plan.partition_result import PartitionResult
from loader.plan.result import Plan
from loader.storage.changeset import SCHEMA, cut_slices
from loader.storage.location import Location
from loader.storage.prior import PriorPart
from loader.storage.slice_outcome import SliceOutcome
from loader.storage.state_file import State, read_state
from loader.storage.state_part import read_state_part, write_state_part
from loader.storage.unfinished import Begun, begin, record

OLD, NEW = b"o" * 16, b"n" * 16
IDENTITY = TableIdentity("items", "eu-west-1", "http://x", "arn", "id-1")


def key(user: object) -> str:
    return f'"u":{{"S":"{user}"}}'


def row(user: object, digest: bytes | None, size: int | None = 10) -> dict[str, Any]:
    hashes = {NEW: 7, OLD: 3 if size else None}
    return {"key": key(user), "digest": digest, "size": size, "rows_hash": hashes.get(digest)}


def puts(*users: object) -> pa.RecordBatch:
    rows = [
        {
            "op": 0,
            "key": key(user),
            "size": 10,
            "digest": NEW,
            "in_state": False,
            "request": f'{{"PutRequest":{{"Item":{{{key(user)}}}}}}}',
            "rows_hash": 7,
        }
        for user in users
    ]
    return pa.RecordBatch.from_pylist(rows, SCHEMA)


class Export:
    """An export with one partition, in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = Location(str(folder / "user_items"))

    def run(self, name: str) -> Location:
        return self.folder / "runs" / name

    def plan(
        self, name: str, known: Sequence[dict[str, Any]], *users: object, **fields: Any
    ) -> Plan:
        """A plan that puts these users where the table has the known ones."""
        parts = {}
        if known:
            rows = pa.Table.from_pylist(list(known), STATE).to_batches()
            count, checksum = write_state_part(self.run(name) / "known", "0.arrow", rows)
            file = f"runs/{name}/known/0.arrow"
            parts = {
                0: PriorPart(self.folder, (_part(file, count, checksum),), rows_comparable=True)
            }
        files = PartitionFiles(self.folder, f"runs/{name}", parts)
        result = PartitionResult(0)
        changes = files.changes_of(result, None)
        files.write(changes, changes.compare(puts(*users)))
        return Plan(
            run=name,
            export="user_items",
            model="m",
            table="items",
            key=[("u", "S")],
            partitions=1,
            queries=1,
            seconds=1.0,
            partition_results=[result],
            identity=IDENTITY,
            **fields,
        )

    def cut(self, plan: Plan, slices: int = 1) -> None:
        identity = asdict(IDENTITY)
        cut = cut_slices(plan.parts, slices)
        record(self.run(plan.run), Begun(plan.run, identity, plan.partitions, 1.0, cut))

    def state(self) -> State:
        state, _ = read_state(self.folder)
        assert state is not None
        return state

    def rows(self) -> list[dict[str, Any]]:
        tables = [read_state_part(self.folder, part) for part in self.state().parts]
        return sorted(
            (entry for table in tables for entry in table.to_pylist()), key=lambda r: str(r["key"])
        )


def _part(file: str, keys: int, checksum: str) -> Any:
    from loader.storage.state_part import StatePart

    return StatePart(0, file, keys, checksum)


@pytest.fixture
def export(tmp_path: Path) -> Export:
    return Export(tmp_path)


def committed(export: Export, plan: Plan, *outcomes: SliceOutcome) -> State:
    export.cut(plan)
    version = begin_run(plan, export.folder)
    return commit_run(plan, export.run(plan.run), outcomes, version)


def test_the_first_run_begins_at_serial_0_and_commits_serial_1(export: Export) -> None:
    plan = export.plan("r1", [], 1, 2)
    export.cut(plan)

    version = begin_run(plan, export.folder)
    begun = export.state()
    commit_run(plan, export.run("r1"), [], version)

    assert (begun.serial, begun.run, begun.unfinished, begun.keys) == (0, "", ("r1",), 0)
    state = export.state()
    assert (state.serial, state.run, state.unfinished, state.keys) == (1, "r1", (), 2)
    assert TableIdentity(**state.identity) == IDENTITY
    assert export.rows() == [row(1, NEW), row(2, NEW)]


def test_the_state_has_no_key_that_the_run_deleted(export: Export) -> None:
    committed(export, export.plan("r1", [row(1, OLD), row(2, OLD)], 2))

    assert export.rows() == [row(2, NEW)]


def test_the_old_state_stays_of_what_dynamodb_rejected(export: Export) -> None:
    plan = export.plan("r1", [row(1, OLD), row(2, None, None), row(3, OLD)], 1, 2, 4, 5)
    rejects = [(key(user), "bad") for user in (1, 2, 3, 4)]

    committed(export, plan, SliceOutcome(0, 1, rejected=4, rejects=rejects))

    assert export.rows() == [
        row(1, OLD, None),
        row(2, None, None),
        row(3, OLD, None),
        row(5, NEW),
    ]


def test_a_slice_with_more_rejects_than_it_names_is_in_doubt(export: Export) -> None:
    plan = export.plan("r1", [row(1, OLD)], 1, 2)

    committed(export, plan, SliceOutcome(0, 0, rejected=2, rejects=[(key(1), "bad")]))

    assert export.rows() == [row(1, None, None), row(2, None, None)]


def test_a_plan_is_refused_after_the_commit_of_another_run(export: Export) -> None:
    kept = export.plan("r1", [], 1)
    committed(export, export.plan("r2", [], 1))

    with pytest.raises(Outdated, match=r"another run \(r2\) was committed since this plan"):
        begin_run(kept, export.folder)


def test_a_plan_is_refused_after_another_run_has_begun(export: Export) -> None:
    kept, other = export.plan("r1", [], 1), export.plan("r2", [], 1)
    begin_run(other, export.folder)

    with pytest.raises(Outdated, match=r"another run \(r2\) that began since this plan"):
        begin_run(kept, export.folder)


def test_a_plan_that_knows_the_unfinished_runs_begins_after_them(export: Export) -> None:
    begin_run(export.plan("r1", [], 1), export.folder)

    begin_run(export.plan("r2", [], 1, folded=["r1"]), export.folder)

    assert export.state().unfinished == ("r1", "r2")


def test_only_the_run_that_began_last_goes_on(export: Export) -> None:
    first = export.plan("r1", [], 1)
    begin_run(first, export.folder)
    begin_run(export.plan("r2", [], 1, folded=["r1"]), export.folder)

    with pytest.raises(Outdated, match=r"another run \(r2\)"):
        require_current(first, export.folder)


def test_a_run_that_goes_on_has_begun(export: Export) -> None:
    plan = export.plan("r1", [], 1)

    before = require_current(plan, export.folder)
    begin_run(plan, export.folder)

    assert (before, require_current(plan, export.folder)) == (False, True)


def test_a_run_with_ended_slices_does_not_begin_again_after_the_state_was_deleted(
    export: Export,
) -> None:
    plan = export.plan("r1", [], 1)
    begin_run(plan, export.folder)
    begin_run(plan, export.folder, ended_slices=1)
    export.folder.remove("current.json")

    with pytest.raises(Outdated, match="because it has begun to write, got a state without it"):
        begin_run(plan, export.folder, ended_slices=1)


def test_a_run_that_is_committed_does_not_begin_again(export: Export) -> None:
    plan = export.plan("r1", [], 1)
    committed(export, plan)

    with pytest.raises(Outdated, match="got a committed run"):
        begin_run(replace(plan, base=1, base_run="r1"), export.folder)


def test_a_paused_driver_does_not_commit_after_another_run_has_begun(export: Export) -> None:
    paused = export.plan("r1", [], 1)
    export.cut(paused)
    version = begin_run(paused, export.folder)
    begin_run(export.plan("r2", [], 1, folded=["r1"]), export.folder)

    with pytest.raises(ApplyFailed, match="cannot commit run r1"):
        commit_run(paused, export.run("r1"), [], version)

    assert export.state().unfinished == ("r1", "r2")


def test_a_run_that_goes_on_in_another_process_cannot_be_committed_by_the_first(
    export: Export,
) -> None:
    plan = export.plan("r1", [], 1)
    export.cut(plan)
    first = begin_run(plan, export.folder)
    second = begin_run(plan, export.folder)

    with pytest.raises(ApplyFailed, match="cannot commit run r1"):
        commit_run(plan, export.run("r1"), [], first)
    commit_run(plan, export.run("r1"), [], second)

    assert export.state().serial == 1


def test_two_runs_that_begin_on_one_version_are_not_both_unfinished(export: Export) -> None:
    committed(export, export.plan("r1", [], 1))
    state, version = read_state(export.folder)
    assert state is not None
    begin(export.folder, state, version, "r2")

    with pytest.raises(Exception, match=r"current\.json"):
        begin(export.folder, state, version, "r3")
