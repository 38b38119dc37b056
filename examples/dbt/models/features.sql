select customer_id, country, days, coalesce(visits, 0) as visits
from {{ ref('customers') }}
left join {{ ref('visits') }} using (customer_id)
