from loader.report.unsent import Cause, by_cause


def entry(partition: int, changes: int, cause: str) -> dict[str, object]:
    return {"partition": partition, "changes": changes, "cause": cause}


def test_unsent_changes_are_added_up_by_cause_the_largest_first() -> None:
    entries = [entry(1, 2, "denied"), entry(1, 3, "busy"), entry(7, 4, "busy"), entry(7, 1, "busy")]

    causes = by_cause(entries)

    assert causes == [Cause("busy", 8, [1, 7]), Cause("denied", 2, [1])]
    assert [cause.place for cause in causes] == ["2 partitions", "partition 1"]
