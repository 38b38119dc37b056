select customer_id, count(*) as visits
from {{ source('raw', 'visits') }}
group by customer_id
