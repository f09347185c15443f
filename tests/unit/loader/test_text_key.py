import json

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from loader.plan.text_key import TextKey

# Every text that has a form in UTF-8.
texts = st.text(st.characters(exclude_categories=["Cs"]))


@given(texts, st.lists(st.none() | texts))
def test_every_text_becomes_the_json_that_reads_as_the_text(
    name: str, keys: list[str | None]
) -> None:
    found = TextKey(name).encode(pa.array(keys, pa.string())).to_pylist()

    read = [None if one is None else json.loads(f"{{{one}}}") for one in found]
    assert read == [None if key is None else {name: {"S": key}} for key in keys]


def test_what_json_does_not_want_escaped_stays_as_it_is() -> None:
    keys = pa.array(["12347", "日本", "/", None, 'a"b', "tab\t"], pa.string())

    assert TextKey("ключ").encode(keys).to_pylist() == [
        '"ключ":{"S":"12347"}',
        '"ключ":{"S":"日本"}',
        '"ключ":{"S":"/"}',
        None,
        '"ключ":{"S":"a\\"b"}',
        '"ключ":{"S":"tab\\t"}',
    ]
