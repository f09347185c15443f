{#- Several columns are written as <length>:<text> each: without the lengths, ('a', 'bc') and
    ('ab', 'c') would be the same text. -#}
{% macro key_as_text(columns) -%}
    {%- if columns is string or columns is not sequence or columns | length == 0 -%}
        {{- exceptions.raise_compiler_error(
            "columns of partition_column() must be a list of at least one column, got "
            ~ tojson(columns) ~ ": write partition_column(['user_id'])"
        ) -}}
    {%- endif -%}
    {%- if columns | length == 1 -%}
        cast({{ columns[0] }} as varchar)
    {%- else -%}
        {%- for column in columns -%}
            {%- set text = "cast(" ~ column ~ " as varchar)" -%}
            cast(length({{ text }}) as varchar) || ':' || {{ text }}
            {%- if not loop.last %} || {% endif -%}
        {%- endfor -%}
    {%- endif -%}
{%- endmacro %}
