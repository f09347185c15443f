import base64
import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loader.items.canonical import canonical_number, canonical_text
from loader.items.json_text import json_text

TEXTS = st.text(st.characters(exclude_categories=["Cs"]))


# --- numbers ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("notations", "canonical"),
    [
        (["0", "-0", "0.0", "0.00", "-0.0", "0E+3", "0E-10"], "0"),
        (["1", "1.0", "1.00", "+1", "01", "1E0", "10E-1"], "1"),
        (["1.5", "1.50", "15E-1", "0.15e1"], "1.5"),
        (["-1.5", "-1.50", "-15E-1"], "-1.5"),
        (["100", "100.0", "1E2", "1E+2", "1.0E2"], "100"),
        (["10000000000", "1.0E10", "1E+10"], "10000000000"),
        (["0.00000015", "1.5E-7", "0.000000150"], "0.00000015"),
        (["-0.5", "-.5", "-0.50"], "-0.5"),
        (["10.01", "10.010"], "10.01"),
        (["1E125", f"1{'0' * 125}"], f"1{'0' * 125}"),
        (["1E-130", f"0.{'0' * 129}1"], f"0.{'0' * 129}1"),
        (["12345678901234567890123456789012345678"], "12345678901234567890123456789012345678"),
    ],
)
def test_a_number_has_one_text_in_every_notation(notations: list[str], canonical: str) -> None:
    assert [canonical_number(text) for text in notations] == [canonical] * len(notations)


NUMBERS = st.builds(
    lambda digits, exponent: Decimal(digits).scaleb(exponent),
    st.integers(-(10**38) + 1, 10**38 - 1),
    st.integers(-130, 88),
)


@given(NUMBERS, st.integers(0, 5))
def test_equal_numbers_have_one_text_without_an_exponent(number: Decimal, zeros: int) -> None:
    plain = format(number, "f")
    padded = plain + ("" if "." in plain else ".") + "0" * zeros
    notations = [str(number), plain, padded, f"{number:e}", f"{number:E}"]

    (text,) = {canonical_number(notation) for notation in notations}
    assert Decimal(text) == number
    assert "E" not in text
    assert text == "0" or not text.startswith("-0") or text[2] == "."
    assert "." not in text or not text.endswith(("0", "."))
    assert canonical_number(text) == text


@given(NUMBERS, NUMBERS)
def test_different_numbers_have_different_texts(one: Decimal, other: Decimal) -> None:
    assert (canonical_number(str(one)) == canonical_number(str(other))) == (one == other)


# --- texts --------------------------------------------------------------------------------------


@given(TEXTS)
def test_a_text_is_read_back_from_its_json(text: str) -> None:
    assert json.loads(json_text(text)) == text


def test_a_control_character_has_the_escape_of_jackson() -> None:
    assert json_text('\x1f\x0b\n\x7f\u2028/"\\u001f') == (
        '"\\u001F\\u000B\\n\x7f\u2028/\\"\\\\u001f"'
    )


# --- items --------------------------------------------------------------------------------------

SCANNED: dict[str, Any] = {
    "a new one": {"BOOL": False},
    "prices": {"NS": ["2", "1.50", "1E1"]},
    "raw": {"B": b"\xff\xef"},
    "raws": {"BS": [b"\xff", b""]},
    "user_id": {"S": "12347"},
    "a": {"NULL": True},
    "deep": {"M": {"é": {"L": [{"N": "1.0"}, {"M": {}}]}, "b": {"BOOL": True}, "b!": {"S": ""}}},
    "tags": {"SS": ['b"', "a!", "a"]},
}


def test_an_item_has_the_exports_order_and_what_the_export_lacks_comes_last_by_name() -> None:
    attributes = ["user_id", "tags", "left_out", "prices", "raws", "raw", "deep"]

    assert canonical_text(SCANNED, attributes) == (
        '"user_id":{"S":"12347"}'
        ',"tags":{"SS":["a!","a","b\\""]}'
        ',"prices":{"NS":["1.5","10","2"]}'
        ',"raws":{"BS":["","/w=="]}'
        ',"raw":{"B":"/+8="}'
        ',"deep":{"M":{"b!":{"S":""},"b":{"BOOL":true},"é":{"L":[{"N":"1"},{"M":{}}]}}}'
        ',"a":{"NULL":true}'
        ',"a new one":{"BOOL":false}'
    )


def test_a_binary_value_may_be_in_base64() -> None:
    item = {"k": {"B": "/+8="}, "set": {"BS": ["/w==", ""]}}

    assert canonical_text(item, ["k", "set"]) == '"k":{"B":"/+8="},"set":{"BS":["","/w=="]}'


def _scalars() -> st.SearchStrategy[dict[str, Any]]:
    return st.one_of(
        TEXTS.map(lambda text: {"S": text}),
        NUMBERS.map(lambda number: {"N": str(number)}),
        st.binary().map(lambda value: {"B": value}),
        st.booleans().map(lambda flag: {"BOOL": flag}),
        st.just({"NULL": True}),
        st.lists(TEXTS, min_size=1, unique=True).map(lambda texts: {"SS": texts}),
        st.lists(NUMBERS, min_size=1, unique=True).map(lambda n: {"NS": [*map(str, n)]}),
        st.lists(st.binary(), min_size=1, unique=True).map(lambda values: {"BS": values}),
    )


def _containers(values: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    lists = st.lists(values, max_size=4).map(lambda elements: {"L": elements})
    return lists | st.dictionaries(TEXTS, values, max_size=4).map(lambda entries: {"M": entries})


VALUES = st.recursive(_scalars(), _containers, max_leaves=8)
ITEMS = st.dictionaries(TEXTS, VALUES, min_size=1, max_size=6)


def _as_another_would_return_it(value: dict[str, Any], shuffled: Callable[[list], list]) -> Any:
    """The same value: other notations of numbers, base64 for bytes, and any order."""
    ((type_, content),) = value.items()
    if type_ == "N":
        plain = format(Decimal(content), "f")
        return {"N": plain + ("00" if "." in plain else ".000")}
    if type_ == "B":
        return {"B": base64.b64encode(content).decode()}
    if type_ == "L":
        return {"L": [_as_another_would_return_it(element, shuffled) for element in content]}
    if type_ == "M":
        names = shuffled(list(content))
        return {"M": {n: _as_another_would_return_it(content[n], shuffled) for n in names}}
    if type_ in ("SS", "NS", "BS"):
        elements = [{type_[0]: element} for element in shuffled(list(content))]
        others = [_as_another_would_return_it(element, shuffled) for element in elements]
        return {type_: [other[type_[0]] for other in others]}
    return value


@given(ITEMS, st.data())
def test_one_item_has_one_text_however_it_is_returned(item: dict[str, Any], data: Any) -> None:
    def shuffled(values: list[Any]) -> list[Any]:
        return list(data.draw(st.permutations(values)))

    other = {name: _as_another_would_return_it(item[name], shuffled) for name in shuffled([*item])}
    attributes = list(item)[:3]

    assert canonical_text(item, attributes) == canonical_text(other, attributes)


@given(ITEMS, ITEMS)
def test_different_items_have_different_texts(item: dict[str, Any], other: dict[str, Any]) -> None:
    def value(wire: dict[str, Any]) -> Any:
        ((type_, content),) = wire.items()
        if type_ == "L":
            return type_, [*map(value, content)]
        if type_ == "M":
            return type_, {name: value(entry) for name, entry in content.items()}
        if type_ in ("SS", "NS", "BS"):
            return type_, {value({type_[0]: element})[1] for element in content}
        return type_, Decimal(content) if type_ == "N" else content

    same = {n: value(v) for n, v in item.items()} == {n: value(v) for n, v in other.items()}
    assert (canonical_text(item, []) == canonical_text(other, [])) == same


@given(ITEMS)
def test_a_text_is_the_json_of_the_item(item: dict[str, Any]) -> None:
    text = canonical_text(item, item)

    parsed = json.loads(f"{{{text}}}")
    assert canonical_text(parsed, parsed) == text
