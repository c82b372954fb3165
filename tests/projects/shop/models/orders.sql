{{ config(materialized='incremental', event_time='day', partition_by='day', batch_size='day') }}
select day, amount from {{ source('raw', 'orders') }}
