import pytest

from loader.dynamodb.time_to_live import TimeToLive, time_to_live_notes

TYPES = {"user_id": "S", "until": "N", "day": "S"}
UNTIL = TimeToLive("until")


@pytest.mark.parametrize(
    ("time_to_live", "item"),
    [
        pytest.param(TimeToLive(), {}, id="no time to live"),
        pytest.param(UNTIL, {"until": {"N": "1893456000"}}, id="seconds"),
        pytest.param(UNTIL, {"user_id": {"S": "a"}}, id="an item that does not expire"),
        pytest.param(UNTIL, {"until": {"NULL": True}}, id="a null"),
        pytest.param(UNTIL, {}, id="no item"),
    ],
)
def test_items_that_may_expire_have_no_note(
    time_to_live: TimeToLive, item: dict[str, object]
) -> None:
    assert time_to_live_notes(time_to_live, TYPES, item) == []


@pytest.mark.parametrize(
    ("time_to_live", "note"),
    [
        (
            TimeToLive("gone"),
            "DynamoDB never expires the items: the export does not write the time to live "
            "attribute gone",
        ),
        (
            TimeToLive("day"),
            "DynamoDB never expires the items: the time to live attribute day is S, not a number "
            "of seconds since 1970, such as extract(epoch from …)",
        ),
        (
            UNTIL,
            "DynamoDB never expires the items: the time to live attribute until has "
            "1893456000000, which is milliseconds, not seconds",
        ),
        (
            TimeToLive(unknown="AccessDeniedException: no"),
            "the table's time to live is unknown (AccessDeniedException: no): "
            "it needs the permission dynamodb:DescribeTimeToLive",
        ),
    ],
)
def test_items_that_never_expire_have_a_note(time_to_live: TimeToLive, note: str) -> None:
    assert time_to_live_notes(time_to_live, TYPES, {"until": {"N": "1893456000000"}}) == [note]
