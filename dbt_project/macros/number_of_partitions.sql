{% macro number_of_partitions(partitions=none) -%}
    {%- set number = var('partitions', none) if partitions is none else partitions -%}
    {%- if number is not integer or number < 1 -%}
        {{- exceptions.raise_compiler_error(
            "partitions must be a positive integer, got " ~ tojson(number)
            ~ ": set the variable `partitions` of dbt_project.yml, or the argument `partitions`"
        ) -}}
    {%- endif -%}
    {{- number -}}
{%- endmacro %}
