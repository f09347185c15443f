{#- Cast to bigint before abs(), because abs(-2147483648) is out of the range of integer. Cast to
    integer after mod(), so that the column has the same type on every warehouse. -#}
{% macro checksum_to_partition(checksum, partitions=none) -%}
    {%- set partitions = var('partitions') if partitions is none else partitions -%}
    {%- if partitions is not integer or partitions < 1 -%}
        {{- exceptions.raise_compiler_error(
            "partitions must be a positive integer, got " ~ tojson(partitions)
            ~ ": set the variable `partitions` of dbt_project.yml, or the macro's argument"
        ) -}}
    {%- endif -%}
    cast(mod(abs(cast({{ checksum }} as bigint)), {{ partitions }}) as integer)
{%- endmacro %}
