import pytest

from loader.printable import plain_key, shortened


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
def test_a_key_is_one_readable_line_without_control_characters(key: str | None, plain: str) -> None:
    assert plain_key(key) == plain


@pytest.mark.parametrize(
    ("text", "short"),
    [("x" * 200, "x" * 200), ("x" * 60_000, f"{'x' * 200}… of 60,000 characters")],
)
def test_a_long_text_is_shortened_for_the_terminal(text: str, short: str) -> None:
    assert shortened(text) == short
