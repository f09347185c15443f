{% test partitions_are_balanced(model, column_name, at_most_times_average=2, partitions=none) %}

    {{ config(severity='warn') }}

    {%- set partitions = number_of_partitions(partitions) %}

    with

    filled as (

        select
            {{ column_name }} as partition_id,
            count(*) as partition_rows
        from {{ model }}
        group by {{ column_name }}

    ),

    -- The average over all partitions, including empty ones: if the keys are in few partitions,
    -- those exceed it.
    average as (

        select sum(partition_rows) * 1.0 / {{ partitions }} as average_rows
        from filled

    )

    select
        filled.partition_id,
        filled.partition_rows,
        average.average_rows
    from filled
    cross join average
    where filled.partition_rows > {{ at_most_times_average }} * average.average_rows

{% endtest %}
