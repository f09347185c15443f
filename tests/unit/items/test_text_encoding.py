import json
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loader.items.json_text import json_text
from loader.items.text_encoding import TextColumns, TextElements, TextKey, escaped

# Every text that UTF-8 can encode.
texts = st.text(st.characters(exclude_categories=["Cs"]))
columns = st.lists(st.none() | texts)


@given(texts, columns)
def test_the_json_of_every_key_is_parsed_as_its_text(name: str, keys: list[str | None]) -> None:
    encoded = TextKey(name).encode(pa.array(keys, pa.string())).to_pylist()

    parsed = [key and json.loads(f"{{{key}}}") for key in encoded]
    assert parsed == [None if key is None else {name: {"S": key}} for key in keys]


def test_only_characters_that_json_requires_are_escaped() -> None:
    keys = pa.array(["12347", "日本", "/", None, 'a"b', "tab\t"], pa.string())

    assert TextKey("ключ").encode(keys).to_pylist() == [
        '"ключ":{"S":"12347"}',
        '"ключ":{"S":"日本"}',
        '"ключ":{"S":"/"}',
        None,
        '"ключ":{"S":"a\\"b"}',
        '"ключ":{"S":"tab\\t"}',
    ]


@given(columns, st.integers(0, 3), st.sampled_from([pa.string(), pa.large_string()]))
def test_a_slice_of_an_array_is_escaped_without_its_neighbours(
    values: list[str | None], begin: int, dtype: pa.DataType
) -> None:
    window = pa.array(values, dtype).slice(begin, 3)

    assert escaped(window).to_pylist() == [
        None if text is None else json_text(text)[1:-1] for text in values[begin : begin + 3]
    ]


@given(columns)
def test_an_element_of_a_list_has_its_type_and_one_more_byte(
    values: list[str | None],
) -> None:
    elements, sizes = TextElements(True, '{"NULL":true}').encode(pa.array(values, pa.string()))

    assert [json.loads(element) for element in elements.to_pylist()] == [
        {"NULL": True} if text is None else {"S": text} for text in values
    ]
    assert sizes == pa.array([2 if t is None else len(t.encode()) + 1 for t in values], pa.int32())


@given(columns)
def test_an_element_of_a_set_has_no_type(values: list[str | None]) -> None:
    elements, sizes = TextElements(False, None).encode(pa.array(values, pa.string()))

    assert [element and json.loads(element) for element in elements.to_pylist()] == values
    assert sizes == pa.array([1 if t is None else len(t.encode()) for t in values], pa.int32())


@pytest.mark.parametrize(
    ("null", "json_of_null"), [('{"NULL":true}', '{"NULL":true}'), (None, None)]
)
def test_null_is_encoded_as_the_export_sets_it(null: str | None, json_of_null: str | None) -> None:
    elements, _ = TextElements(True, null).encode(pa.array(["a", None], pa.string()))

    assert elements.to_pylist() == ['{"S":"a"}', json_of_null]


def test_a_batch_gets_the_columns_that_the_jvm_left_out() -> None:
    columns = TextColumns(
        TextKey("user_id"), (TextElements(True, None), None, TextElements(False, None))
    )
    kept: dict[str, Any] = {"partition": [0], "key": ["a"], "problem": [None], "base_bytes": [8]}
    others: dict[str, Any] = {"element_1": ['{"N":"1"}'], "size_1": [3]}
    batch = pa.RecordBatch.from_pydict({**kept, "element_0": ["é"], "element_2": ["b"], **others})

    assert columns.complete(batch).to_pydict() == {
        **kept,
        "element_0": ['{"S":"é"}'],
        "size_0": [3],
        **others,
        "element_2": ['"b"'],
        "size_2": [1],
        "attributes": [""],
    }


def test_attributes_from_the_jvm_are_kept() -> None:
    batch = pa.RecordBatch.from_pydict({"key": ["a"], "attributes": [',"n":{"N":"1"}']})

    assert TextColumns().complete(batch) == batch
