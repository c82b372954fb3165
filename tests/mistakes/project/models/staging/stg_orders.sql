select
    cast(id as bigint) as order_id,
    cast(customer as bigint) as customer_id,
    status,
    cast(amount as decimal(10, 2)) as amount,
    cast(ordered_on as date) as ordered_on
from {{ ref('raw_orders') }}
