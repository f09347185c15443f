import pytest

from loader.printable import plain_key


@pytest.mark.parametrize(
    ("key", "plain"),
    [
        ('"user_id":{"S":"12347"}', "user_id 12347"),
        ('"user_id":{"S":"a\\"é"},"day":{"N":"7"}', 'user_id a"é, day 7'),
        (
            '"k":{"S":"a\\nb\\u001b[31m\\u0000\\ud800\\u202e"}',
            "k a\\nb\\x1b[31m\\x00\\ud800\\u202e",
        ),
        (None, "none"),
    ],
)
def test_a_key_is_told_as_a_person_says_it_in_one_line_that_no_terminal_obeys(
    key: str | None, plain: str
) -> None:
    assert plain_key(key) == plain
