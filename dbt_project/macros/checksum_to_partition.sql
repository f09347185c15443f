{#- bigint before abs(): abs(-2147483648) is not an integer. integer after mod(): JDBC and Spark
    then see the same type on every warehouse. -#}
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
