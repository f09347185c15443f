-- The rule once more, in other words than the model's. Copies are counted, so a row that comes
-- twice is found as well as one that is lost, invented or changed.
with

expected as (

    select
        line_number,
        customer_id,
        stock_code as item_id,
        invoice_date as purchased_at,
        1 as copies_expected,
        0 as copies_found
    from {{ source('retail', 'transactions') }}
    where
        customer_id > 0
        and left(invoice, 1) <> 'C'
        and quantity >= 1

),

found as (

    select
        line_number,
        cast(user_id as integer) as customer_id,
        item_id,
        purchased_at,
        0 as copies_expected,
        1 as copies_found
    from {{ ref('stg_retail__transactions') }}

),

both_sides as (

    select * from expected
    union all
    select * from found

)

select
    line_number,
    customer_id,
    item_id,
    purchased_at,
    sum(copies_expected) as copies_expected,
    sum(copies_found) as copies_found
from both_sides
group by line_number, customer_id, item_id, purchased_at
having sum(copies_expected) <> sum(copies_found)
