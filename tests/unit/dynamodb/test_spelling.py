import pytest

from loader.dynamodb.spelling import account_of, is_one_table

ARN = "arn:aws:dynamodb:eu-west-1:111111111111:table/users"
ANYWHERE = ARN.replace("eu-west-1", "")
OURS, OTHER = "111111111111", "222222222222"


@pytest.mark.parametrize(
    ("one", "other", "account", "same"),
    [
        ("users", "users", "", True),
        ("users", "others", OURS, False),
        ("users", ARN, OURS, True),
        (ARN, "users", OURS, True),
        ("users", ARN, OTHER, False),
        ("users", ARN, "", True),
        ("users", ARN.replace("eu-west-1", "us-east-1"), OURS, False),
        ("others", ARN, OURS, False),
        (ARN, ARN, OTHER, True),
        (ARN, ARN.replace(OURS, OTHER), OURS, False),
        # The full name of a table that a role reaches has no Region.
        (ANYWHERE, ARN, OTHER, True),
        (ANYWHERE, "users", OURS, True),
        (ANYWHERE, "users", OTHER, False),
        (ANYWHERE, ARN.replace("eu-west-1", "us-east-1"), OURS, False),
    ],
)
def test_a_name_is_the_table_of_this_account_and_region(
    one: str, other: str, account: str, same: bool
) -> None:
    assert is_one_table(one, other, "eu-west-1", account) == same


def test_the_account_of_a_table_is_in_its_arn() -> None:
    assert (account_of(ARN), account_of("users")) == (OURS, "")
