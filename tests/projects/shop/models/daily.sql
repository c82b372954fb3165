{{ config(materialized='incremental', event_time='day', batch_size='day') }}
select day, sum(amount) as amount from {{ ref('orders') }} group by day
