"""The outcomes of an apply that broke off."""

import json
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

import pyarrow as pa

from loader.apply import recovery
from loader.apply.slice_outcome import NotSent, SliceOutcome, outcome_file
from loader.plan.partition_result import PartitionResult
from loader.plan.result import Plan
from loader.storage.changeset import SCHEMA, cut_slices, write_part
from loader.storage.location import Location
from loader.storage.rejects import Rejects

CAUSE = "unknown whether it was written: its slice did not finish (a crash)"


def changes(keys: Iterable[int]) -> pa.RecordBatch:
    rows = [
        {
            "op": 0,
            "key": f'"k":{{"N":"{key}"}}',
            "size": 1_000,
            "digest": b"d" * 16,
            "request": f'{{"PutRequest":{{"Item":{{"k":{{"N":"{key}"}}}}}}}}',
        }
        for key in keys
    ]
    return pa.RecordBatch.from_pylist(rows, SCHEMA)


def planned(folder: Path) -> Plan:
    """Two partitions of 3 changes; two slices of it are one partition each."""
    changeset = Location(str(folder)) / "changes"
    parts = [
        write_part(changeset, f"{p}.arrow", p, [changes(range(10 * p, 10 * p + 3))]) for p in (0, 1)
    ]
    partition_results = [PartitionResult(part.partition, part=part) for part in parts]
    return Plan("run", "export", "model", "items", [("k", "N")], 2, 2, 1.0, partition_results)


def write_outcome(folder: Path, apply: str, outcome: SliceOutcome) -> None:
    document = json.dumps({"apply": apply, **asdict(outcome)})
    (folder / "applied" / outcome_file(outcome.number)).write_text(document)


def outcomes(folder: Path, plan: Plan) -> list[SliceOutcome]:
    return recovery.outcomes(plan, Rejects(Location(str(folder)), "run", "export"), "a crash")


def listed(folder: Path, outcome: SliceOutcome) -> list[tuple[str, int, str, str]]:
    text = (folder / "rejects" / str(outcome.reject_shard)).read_text()
    lines = [json.loads(line) for line in text.splitlines()]
    return [(x["kind"], x["partition"], x["key"]["k"]["N"], x["reason"]) for x in lines]


def test_a_finished_slice_has_its_outcome_and_every_key_of_another_is_in_doubt(
    tmp_path: Path,
) -> None:
    plan = planned(tmp_path)
    recovery.begin(Location(str(tmp_path)), "a", cut_slices(plan.parts, 2))
    finished = SliceOutcome(
        1,
        1,
        2,
        1,
        0,
        1.5,
        1,
        [('"k":{"S":"\ud800"}', "bad")],
        [NotSent(1, 1, "busy")],
        "shard",
        {100: (1, 1.5, 0)},
    )
    write_outcome(tmp_path, "a", finished)

    doubt, known = outcomes(tmp_path, plan)

    assert (known, known.by_second) == (finished, finished.by_second)
    assert doubt == SliceOutcome(
        0, not_sent=[NotSent(0, 3, CAUSE)], reject_shard="a-00000-in-doubt.jsonl"
    )
    assert listed(tmp_path, doubt) == [("not_sent", 0, str(n), CAUSE) for n in range(3)]


def test_outcomes_of_an_earlier_apply_are_ignored(tmp_path: Path) -> None:
    plan = planned(tmp_path)
    folder, slices = Location(str(tmp_path)), cut_slices(plan.parts, 2)
    recovery.begin(folder, "old", slices)
    write_outcome(tmp_path, "old", SliceOutcome(0, 3))
    recovery.begin(folder, "new", slices)
    write_outcome(tmp_path, "old", SliceOutcome(1, 3))  # of a task that outlived its driver

    assert [outcome.acknowledged for outcome in outcomes(tmp_path, plan)] == [0, 0]


def test_without_an_apply_no_key_was_sent(tmp_path: Path) -> None:
    plan = planned(tmp_path)

    (unsent,) = outcomes(tmp_path, plan)

    reason = "not sent: no apply began (a crash)"
    assert unsent.not_sent == [NotSent(0, 3, reason), NotSent(1, 3, reason)]
    assert listed(tmp_path, unsent) == [
        ("not_sent", p, str(10 * p + n), reason) for p in (0, 1) for n in range(3)
    ]
