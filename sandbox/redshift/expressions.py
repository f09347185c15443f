"""Rewrite Redshift's expressions that are syntax errors in PostgreSQL."""

from __future__ import annotations

from sandbox.redshift.lexer import (
    LITERAL,
    SPACE,
    SYMBOL,
    WORD,
    Token,
    closing,
    erase,
    match,
    skip_space,
)

_WITH_DATE_PART = ("dateadd", "datediff", "date_part")
# "Dateparts for date or timestamp functions", Amazon Redshift Database Developer Guide
_DATE_PARTS = set(
    "epoch millennium century decade y yr yrs year years qtr quarter quarters "  # noqa: SIM905
    "mon mons month months w week weeks d day days dow doy dayofyear weekday "
    "h hr hrs hour hours m min mins minute minutes s sec secs second seconds "
    "ms msec millisecond milliseconds us usec microsecond microseconds".split()
)


def rewrite_expressions(tokens: list[Token]) -> None:
    for at, token in enumerate(tokens):
        if token.kind != WORD:
            continue
        following = skip_space(tokens, at + 1)
        if following < len(tokens) and tokens[following].is_symbol("("):
            _rewrite_call(tokens, at, following)
        elif token.is_word("sysdate") and not _names_a_column(tokens, at):
            token.text = "sysdate()"
        elif token.is_word("approximate") and match(tokens, following, "count", "("):
            token.erase()


def _names_a_column(tokens: list[Token], at: int) -> bool:
    """Whether the word is a column name, as in `t.sysdate` or `x as sysdate`."""
    before = at - 1
    while before >= 0 and tokens[before].kind == SPACE:
        before -= 1
    return before >= 0 and (tokens[before].is_symbol(".") or tokens[before].is_word("as"))


def _rewrite_call(tokens: list[Token], at: int, opening: int) -> None:
    function = tokens[at]
    if function.is_word(*_WITH_DATE_PART):
        _quote_date_part(tokens, opening + 1)
    elif function.is_word("nvl"):
        function.text = "coalesce"
    elif function.is_word("varchar", "nvarchar", "varying"):
        if end := match(tokens, opening, "(", "max", ")"):
            erase(tokens, opening, end)
    elif function.is_word("listagg"):
        function.text = "string_agg"
        _move_order_inside(tokens, opening)


def _quote_date_part(tokens: list[Token], at: int) -> None:
    at = skip_space(tokens, at)
    if at < len(tokens) and tokens[at].is_word(*_DATE_PARTS) and match(tokens, at + 1, ","):
        tokens[at].kind, tokens[at].text = LITERAL, f"'{tokens[at].text.lower()}'"


def _move_order_inside(tokens: list[Token], opening: int) -> None:
    """`listagg(x, ',') within group (order by y)` becomes `string_agg(x, ',' order by y)`."""
    end = closing(tokens, opening)
    group = match(tokens, end + 1, "within", "group", "(")
    if group is None:
        return
    group_end = closing(tokens, group - 1)
    order = "".join(token.text for token in tokens[group:group_end])
    tokens[end].kind, tokens[end].text = SYMBOL, f" {order})"
    erase(tokens, end + 1, group_end + 1)
