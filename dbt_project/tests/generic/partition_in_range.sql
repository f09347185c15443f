{% test partition_in_range(model, column_name, partitions=none) %}

    {%- set partitions = number_of_partitions(partitions) %}

    select *
    from {{ model }}
    where
        {{ column_name }} is null
        or {{ column_name }} < 0
        or {{ column_name }} >= {{ partitions }}

{% endtest %}
