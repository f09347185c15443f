"""What is known of an apply that broke off."""

import json
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

import pyarrow as pa

from loader.apply import recovery as applied
from loader.apply.outcome import NotSent, SliceOutcome, outcome_file
from loader.plan.result import PartitionResult, Plan
from loader.storage.changeset import SCHEMA, cut_slices, write_part
from loader.storage.location import Location
from loader.storage.rejects import Rejects

CAUSE = "its slice must be acknowledged to the end, got a crash"


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
    """Two partitions of 3 changes, each cut into a slice of its own where two are asked for."""
    place = Location(str(folder)) / "changes"
    parts = [
        write_part(place, f"{p}.arrow", p, [changes(range(10 * p, 10 * p + 3))]) for p in (0, 1)
    ]
    partition_results = [PartitionResult(part.partition, part=part) for part in parts]
    return Plan("run", "export", "model", "items", [("k", "N")], 2, 2, 1.0, partition_results)


def leave(folder: Path, apply: str, outcome: SliceOutcome) -> None:
    document = json.dumps({"apply": apply, **asdict(outcome)})
    (folder / "applied" / outcome_file(outcome.number)).write_text(document)


def outcomes(folder: Path, plan: Plan) -> list[SliceOutcome]:
    return applied.outcomes(plan, Rejects(Location(str(folder)), "run", "export"), "a crash")


def listed(folder: Path, outcome: SliceOutcome) -> list[tuple[str, int, str, str]]:
    text = (folder / "rejects" / str(outcome.rejects_file)).read_text()
    lines = [json.loads(line) for line in text.splitlines()]
    return [(x["kind"], x["partition"], x["key"]["k"]["N"], x["reason"]) for x in lines]


def test_a_slice_that_ended_is_known_and_every_key_of_another_is_in_doubt(tmp_path: Path) -> None:
    plan = planned(tmp_path)
    applied.begin(Location(str(tmp_path)), "a", cut_slices(plan.parts, 2))
    ended = SliceOutcome(
        1, 1, 2, 1, 0, 1.5, 1, [('"k":{"N":"10"}', "bad")], [NotSent(1, 1, "busy")], "part"
    )
    leave(tmp_path, "a", ended)

    doubt, known = outcomes(tmp_path, plan)

    assert known == ended
    assert doubt == SliceOutcome(
        0, not_sent=[NotSent(0, 3, CAUSE)], rejects_file="a-00000-in-doubt.jsonl"
    )
    assert listed(tmp_path, doubt) == [("not_sent", 0, str(n), CAUSE) for n in range(3)]


def test_what_an_apply_before_left_is_not_taken_for_an_outcome(tmp_path: Path) -> None:
    plan = planned(tmp_path)
    place, slices = Location(str(tmp_path)), cut_slices(plan.parts, 2)
    applied.begin(place, "old", slices)
    leave(tmp_path, "old", SliceOutcome(0, 3))
    applied.begin(place, "new", slices)
    leave(tmp_path, "old", SliceOutcome(1, 3))  # by a task that outlived its driver

    assert [outcome.acknowledged for outcome in outcomes(tmp_path, plan)] == [0, 0]


def test_where_no_apply_began_every_key_is_named(tmp_path: Path) -> None:
    plan = planned(tmp_path)

    (all_,) = outcomes(tmp_path, plan)

    assert all_.not_sent == [NotSent(0, 3, CAUSE), NotSent(1, 3, CAUSE)]
    assert [line[:3] for line in listed(tmp_path, all_)] == [
        ("not_sent", p, str(10 * p + n)) for p in (0, 1) for n in range(3)
    ]
