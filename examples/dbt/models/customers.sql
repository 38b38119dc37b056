select id as customer_id, country, date_diff('day', since, date '2026-06-01') as days
from {{ source('raw', 'customers') }}
