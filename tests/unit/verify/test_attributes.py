from loader.verify.attributes import AttributeDifference, attribute_differences

ATTRIBUTES = ("user_id", "items", "country")


def test_attributes_that_differ_are_in_the_order_of_the_export_and_then_by_name() -> None:
    table = {"user_id": {"S": "1"}, "z": {"N": "1"}, "country": {"S": "UK"}, "a": {"BOOL": True}}
    model = {"user_id": {"S": "1"}, "country": {"S": "FR"}, "items": {"L": []}}

    assert attribute_differences(table, model, ATTRIBUTES) == [
        AttributeDifference("items", None, '{"L":[]}'),
        AttributeDifference("country", '{"S":"UK"}', '{"S":"FR"}'),
        AttributeDifference("a", '{"BOOL":true}', None),
        AttributeDifference("z", '{"N":"1"}', None),
    ]


def test_notations_of_one_value_do_not_differ() -> None:
    table = {"n": {"N": "1.50"}, "s": {"SS": ["b", "a"]}}
    model = {"n": {"N": "1.5"}, "s": {"SS": ["a", "b"]}}

    assert attribute_differences(table, model, ()) == []


def test_a_number_and_a_text_of_the_same_digits_differ() -> None:
    differences = attribute_differences({"n": {"S": "1"}}, {"n": {"N": "1"}}, ())

    assert differences == [AttributeDifference("n", '{"S":"1"}', '{"N":"1"}')]


def test_long_values_are_shown_from_a_little_before_the_first_difference() -> None:
    table = {"items": {"L": [{"S": f"item {n}"} for n in range(20)]}}
    model = {"items": {"L": [{"S": f"item {n}"} for n in range(20) if n != 10]}}

    assert attribute_differences(table, model, ()) == [
        AttributeDifference(
            "items",
            '…"},{"S":"item 10"},{"S":"item 11"},{"S":"item 12"},{"S":"ite…',
            '…"},{"S":"item 11"},{"S":"item 12"},{"S":"item 13"},{"S":"ite…',
        )
    ]
