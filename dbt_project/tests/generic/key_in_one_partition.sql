{% test key_in_one_partition(model, column_name, key) %}

    select
        {{ key | join(', ') }},
        min({{ column_name }}) as first_partition,
        max({{ column_name }}) as last_partition
    from {{ model }}
    group by {{ key | join(', ') }}
    having min({{ column_name }}) <> max({{ column_name }})

{% endtest %}
