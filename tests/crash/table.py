"""The results of crashes as a table on the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tests.crash.cases import Result
from tests.support.case_results import aligned

HEAD = [
    "seed",
    "storage",
    "state",
    "phase",
    "victim",
    "then",
    "codes",
    "missing",
    "extra",
    "different",
    "zombie",
    "result",
]


def row(result: Result) -> dict[str, Any]:
    """One result, as reports/crash.json has it."""
    case = result.case
    return {
        "seed": case.seed,
        "storage": "s3" if case.on_s3 else "folder",
        "state": case.first,
        "table": case.has_table,
        "phase": case.moment.phase,
        "moment": str(case.moment),
        "victim": case.victim,
        "then": case.follow_up,
        "codes": result.codes,
        "struck": result.struck,
        "missing": result.missing,
        "extra": result.extra,
        "different": result.different,
        "foreign_kept": result.foreign,
        "zombie_writes": result.zombie_writes,
        "problems": result.problems,
    }


def lines(results: Sequence[Result]) -> list[str]:
    """One line per case."""
    return aligned([HEAD, *map(_cells, results)])


def _cells(result: Result) -> list[str]:
    fields = row(result)
    values = [
        fields["seed"],
        fields["storage"],
        "yes" if fields["state"] else "no",
        f"{fields['phase']}: {fields['moment']}",
        fields["victim"],
        fields["then"],
        " ".join(map(str, fields["codes"])),
        fields["missing"],
        fields["extra"],
        fields["different"],
        fields["zombie_writes"],
        "ok" if result.green else "RED" if fields["struck"] else "not struck",
    ]
    return [str(value) for value in values]
