"""Split SQL into tokens, so that a rewrite never changes a literal, quoted name or comment."""

from __future__ import annotations

import re
from dataclasses import dataclass

SPACE, LITERAL, QUOTED, WORD, NUMBER, SYMBOL = (
    "space",
    "literal",
    "quoted",
    "word",
    "number",
    "symbol",
)

_TOKEN = re.compile(
    r"""
    (?P<space>   \s+ | --[^\n]* )
  | (?P<literal> [eE]'(?:[^'\\]|\\.|'')*' | '(?:[^']|'')*' )
  | (?P<quoted>  "(?:[^"]|"")*" )
  | (?P<word>    [^\W\d][\w$]* )
  | (?P<number>  \d+(?:\.\d+)? )
  | (?P<symbol>  . )
    """,
    re.VERBOSE | re.DOTALL,
)
_DOLLAR_QUOTE = re.compile(r"\$(?:[^\W\d]\w*)?\$")
_COMMENT_EDGE = re.compile(r"/\*|\*/")


@dataclass
class Token:
    kind: str
    text: str

    def is_symbol(self, text: str) -> bool:
        return self.kind == SYMBOL and self.text == text

    def is_word(self, *words: str) -> bool:
        return self.kind == WORD and self.text.lower() in words

    def erase(self) -> None:
        self.kind, self.text = SPACE, ""


def lex(sql: str) -> list[Token]:
    """The tokens of `sql`; their texts joined are `sql`."""
    tokens, at = [], 0
    while at < len(sql):
        token = _block_comment(sql, at) or _dollar_quoted(sql, at) or _plain(sql, at)
        tokens.append(token)
        at += len(token.text)
    return tokens


def _plain(sql: str, at: int) -> Token:
    token = _TOKEN.match(sql, at)
    assert token  # the last alternative matches any character
    return Token(str(token.lastgroup), token[0])


def _block_comment(sql: str, at: int) -> Token | None:
    """Comments nest, in Redshift as in PostgreSQL."""
    if not sql.startswith("/*", at):
        return None
    depth = 0
    for edge in _COMMENT_EDGE.finditer(sql, at):
        depth += 1 if edge[0] == "/*" else -1
        if depth == 0:
            return Token(SPACE, sql[at : edge.end()])
    return Token(SPACE, sql[at:])


def _dollar_quoted(sql: str, at: int) -> Token | None:
    quote = _DOLLAR_QUOTE.match(sql, at)
    end = sql.find(quote[0], quote.end()) if quote else -1
    return Token(LITERAL, sql[at : end + len(quote[0])]) if quote and end >= 0 else None


def skip_space(tokens: list[Token], at: int) -> int:
    while at < len(tokens) and tokens[at].kind == SPACE:
        at += 1
    return at


def match(tokens: list[Token], at: int, *pattern: str | tuple[str, ...]) -> int | None:
    """The index after `pattern` if its words and symbols are at `at`; a tuple is a choice."""
    for expected in pattern:
        at = skip_space(tokens, at)
        choice = (expected,) if isinstance(expected, str) else expected
        if at >= len(tokens) or tokens[at].kind not in (WORD, SYMBOL):
            return None
        if tokens[at].text.lower() not in choice:
            return None
        at += 1
    return at


def closing(tokens: list[Token], opening: int) -> int:
    """The index of the bracket that closes `opening`; the last index if it is not closed."""
    depth = 0
    for at in range(opening, len(tokens)):
        if tokens[at].is_symbol("("):
            depth += 1
        elif tokens[at].is_symbol(")"):
            depth -= 1
            if depth == 0:
                return at
    return len(tokens) - 1


def erase(tokens: list[Token], start: int, end: int) -> None:
    for token in tokens[start:end]:
        token.erase()
