{% test key_in_one_partition(model, column_name, key) %}

    {%- set columns = ([key] if key is string else key) | join(', ') %}

    select
        {{ columns }},
        min({{ column_name }}) as first_partition,
        max({{ column_name }}) as last_partition
    from {{ model }}
    group by {{ columns }}
    having min({{ column_name }}) <> max({{ column_name }})

{% endtest %}
