{#- Cast to bigint before abs(), because abs(-2147483648) is out of the range of integer. Cast to
    integer after mod(), so that the column has the same type on every warehouse. -#}
{% macro checksum_to_partition(checksum, partitions=none) -%}
    cast(mod(abs(cast({{ checksum }} as bigint)), {{ number_of_partitions(partitions) }}) as integer)
{%- endmacro %}
