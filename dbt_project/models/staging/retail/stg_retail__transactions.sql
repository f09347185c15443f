with

source as (

    select * from {{ source('retail', 'transactions') }}

),

renamed as (

    select
        -- ids
        cast(customer_id as varchar) as user_id,
        stock_code as item_id,
        invoice as invoice_id,
        line_number,

        -- facts
        invoice_date as purchased_at,
        quantity,
        price as unit_price,
        country

    from source

),

-- The description of this model explains the conditions of a purchase.
filtered as (

    select * from renamed
    where
        user_id is not null
        and invoice_id not like 'C%'
        and quantity > 0

),

final as (

    select
        {{ partition_column(['user_id']) }} as partition_id,
        user_id,
        item_id,
        purchased_at,
        invoice_id,
        line_number,
        quantity,
        unit_price,
        country
    from filtered

)

select * from final
