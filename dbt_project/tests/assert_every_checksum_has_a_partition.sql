-- The absolute value of the smallest integer is out of the range of integer.
{%- set cases = [
    {'checksum': '2147483647', 'of_30': 7, 'of_1': 0},
    {'checksum': '30', 'of_30': 0, 'of_1': 0},
    {'checksum': '29', 'of_30': 29, 'of_1': 0},
    {'checksum': '0', 'of_30': 0, 'of_1': 0},
    {'checksum': '-1', 'of_30': 1, 'of_1': 0},
    {'checksum': '-31', 'of_30': 1, 'of_1': 0},
    {'checksum': '-2147483647 - 1', 'of_30': 8, 'of_1': 0},
    {'checksum': 'null', 'of_30': 'null', 'of_1': 'null'},
] %}

with

cases as (

    {%- for case in cases %}
        select
            cast({{ case.checksum }} as integer) as checksum,
            cast({{ case.of_30 }} as integer) as expected_of_30,
            cast({{ case.of_1 }} as integer) as expected_of_1
        {%- if not loop.last %}
            union all
        {%- endif %}
    {%- endfor %}

),

actual as (

    select
        checksum,
        expected_of_30,
        expected_of_1,
        {{ checksum_to_partition('checksum', 30) }} as actual_of_30,
        {{ checksum_to_partition('checksum', 1) }} as actual_of_1
    from cases

)

select
    checksum,
    expected_of_30,
    actual_of_30,
    expected_of_1,
    actual_of_1
from actual
where
    coalesce(actual_of_30, -1) <> coalesce(expected_of_30, -1)
    or coalesce(actual_of_1, -1) <> coalesce(expected_of_1, -1)
