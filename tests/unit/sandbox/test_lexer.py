from hypothesis import given
from hypothesis import strategies as st

from sandbox.redshift.lexer import LITERAL, QUOTED, SPACE, lex

FRAGMENTS = st.sampled_from(
    [
        "select",
        " ",
        "'",
        "''",
        '"',
        "$$",
        "$a$",
        "$1",
        "--",
        "/*",
        "*/",
        "\n",
        ";",
        "(",
        ")",
        "é",
        "1",
        "E'\\'",
    ]
)


@given(st.lists(FRAGMENTS).map("".join))
def test_the_texts_of_the_tokens_joined_are_the_sql(sql: str) -> None:
    assert "".join(token.text for token in lex(sql)) == sql


def test_a_quoted_text_or_a_comment_is_one_token() -> None:
    tokens = lex("""'it''s'E'a\\'b'$x$'$$'$x$"a""b"/* a /* b */ c */--d""")

    assert [(token.kind, token.text) for token in tokens] == [
        (LITERAL, "'it''s'"),
        (LITERAL, "E'a\\'b'"),
        (LITERAL, "$x$'$$'$x$"),
        (QUOTED, '"a""b"'),
        (SPACE, "/* a /* b */ c */"),
        (SPACE, "--d"),
    ]


def test_a_parameter_is_not_a_dollar_quote() -> None:
    assert [token.kind for token in lex("$1 + $2")] == [
        "symbol",
        "number",
        "space",
        "symbol",
        "space",
        "symbol",
        "number",
    ]
