-- The conditions of a purchase, written differently than in the model. Copies are counted, so the
-- test detects duplicated, missing, additional and changed rows.
with

expected as (

    select
        line_number,
        customer_id,
        stock_code as item_id,
        invoice_date as purchased_at,
        1 as copies_expected,
        0 as copies_actual
    from {{ source('retail', 'transactions') }}
    where
        customer_id > 0
        and left(invoice, 1) <> 'C'
        and quantity >= 1

),

actual as (

    select
        line_number,
        cast(user_id as integer) as customer_id,
        item_id,
        purchased_at,
        0 as copies_expected,
        1 as copies_actual
    from {{ ref('stg_retail__transactions') }}

),

both_sides as (

    select * from expected
    union all
    select * from actual

)

select
    line_number,
    customer_id,
    item_id,
    purchased_at,
    sum(copies_expected) as copies_expected,
    sum(copies_actual) as copies_actual
from both_sides
group by line_number, customer_id, item_id, purchased_at
having sum(copies_expected) <> sum(copies_actual)
