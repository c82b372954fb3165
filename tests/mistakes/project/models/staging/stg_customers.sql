select cast(id as bigint) as customer_id, name, country from {{ ref('raw_customers') }}
