{#- Cast to varchar before checksum(): the checksum of a number is similar to the number itself, so
    keys that all end in 0 would fill only every tenth partition. -#}
{% macro partition_column(columns, partitions=none) -%}
    {{- checksum_to_partition("checksum(" ~ key_as_text(columns) ~ ")", partitions) -}}
{%- endmacro %}
