{%- set cases = [
    {'first': "'a'", 'second': "'bc'", 'text': "'1:a2:bc'"},
    {'first': "'ab'", 'second': "'c'", 'text': "'2:ab1:c'"},
    {'first': "'a1:'", 'second': "'b'", 'text': "'3:a1:1:b'"},
    {'first': "'a'", 'second': "''", 'text': "'1:a0:'"},
    {'first': "''", 'second': "'a'", 'text': "'0:1:a'"},
    {'first': "null", 'second': "'a'", 'text': "null"},
    {'first': "'a'", 'second': "null", 'text': "null"},
] -%}

with

cases as (

    {%- for case in cases %}
        select
            cast({{ case.first }} as varchar) as first_column,
            cast({{ case.second }} as varchar) as second_column,
            cast({{ case.text }} as varchar) as expected
        {%- if not loop.last %}
            union all
        {%- endif %}
    {%- endfor %}

),

actual as (

    select
        first_column,
        second_column,
        expected,
        {{ key_as_text(['first_column', 'second_column']) }} as actual
    from cases

)

select
    first_column,
    second_column,
    expected,
    actual
from actual
where coalesce(actual, 'null') <> coalesce(expected, 'null')
