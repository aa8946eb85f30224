-- What must be true of a tenant's books. All of it is one statement, hence of one snapshot: see store/books.py.
-- First the rows as the checks see them; then each fault, with the names of what has it.

WITH
invoice AS (SELECT * FROM invoices WHERE tenant_id = %(tenant)s),
line AS (
    SELECT i.id AS invoice_id, i.user_id, i.number, i.currency, i.subscription_ids, l.*
    FROM invoice i, jsonb_to_recordset(i.lines) AS l(
        quantity numeric, unit_price_net numeric, tax_category text, tax_rate numeric, net_minor bigint,
        tax_minor bigint, gross_minor bigint, position_id uuid, subscription_id uuid
    )
),
line_sum AS (
    SELECT invoice_id, sum(net_minor) AS net_minor, sum(tax_minor) AS tax_minor FROM line GROUP BY invoice_id
),
tax_group AS (
    SELECT i.id AS invoice_id, i.number, g.*
    FROM invoice i, jsonb_to_recordset(i.tax_groups) AS g(
        tax_category text, tax_rate numeric, net_minor bigint, tax_minor bigint
    )
),
position AS (SELECT * FROM positions WHERE tenant_id = %(tenant)s),
subscription AS (SELECT * FROM subscriptions WHERE tenant_id = %(tenant)s),
usage AS (SELECT * FROM usage_records WHERE tenant_id = %(tenant)s),
entry AS (SELECT * FROM journal WHERE tenant_id = %(tenant)s),
numbered AS (
    SELECT substring(number FROM '^(INV-\d{4})-\d{5,}$') AS series,
        substring(number FROM '^INV-\d{4}-(\d{5,})$')::bigint AS n, number, issued_at, issue_date
    FROM invoice WHERE number IS NOT NULL
    UNION ALL
    SELECT substring(number FROM '^(SUB)-\d{6,}$'), substring(number FROM '^SUB-(\d{6,})$')::bigint,
        number, NULL, NULL
    FROM subscription
),
charge AS (
    SELECT *, lag(period_end) OVER charges AS end_before, lead(id) OVER charges AS following
    FROM position WHERE kind IN ('period', 'advance')
    WINDOW charges AS (PARTITION BY subscription_id ORDER BY period_start, period_end)
),
paid AS (
    SELECT invoice_id, sum(amount_minor) AS minor FROM (
        SELECT invoice_id, amount_minor FROM payments WHERE tenant_id = %(tenant)s
        UNION ALL
        SELECT invoice_id, -(data ->> 'overpaid_minor')::bigint FROM entry WHERE kind = 'payment.overpayment'
    ) AS money GROUP BY invoice_id
)

-- documents

-- fault: totals are not the sums of its lines
SELECT i.number FROM invoice i LEFT JOIN line_sum l ON l.invoice_id = i.id
WHERE (i.subtotal_net_minor, i.tax_total_minor, i.total_gross_minor)
    IS DISTINCT FROM (coalesce(l.net_minor, 0), coalesce(l.tax_minor, 0), coalesce(l.net_minor + l.tax_minor, 0))

-- fault: a line's gross is not its net plus tax
SELECT number FROM line WHERE gross_minor <> net_minor + tax_minor

-- fault: a line's net is not quantity times price, rounded
SELECT number FROM line
WHERE net_minor <> round(
    quantity * unit_price_net * 10::numeric ^ coalesce((%(digits)s::jsonb ->> currency)::numeric, 2)
)

-- fault: a tax group's tax is not its rate of its net (BR-CO-17)
SELECT number FROM tax_group WHERE tax_minor <> round(net_minor * tax_rate / 100)

-- fault: a tax group is not the sum of its lines
SELECT coalesce(g.invoice_id, l.invoice_id) FROM tax_group g FULL JOIN (
    SELECT invoice_id, tax_category, tax_rate, sum(net_minor) AS net_minor, sum(tax_minor) AS tax_minor
    FROM line GROUP BY invoice_id, tax_category, tax_rate
) AS l USING (invoice_id, tax_category, tax_rate)
WHERE (g.net_minor, g.tax_minor) IS DISTINCT FROM (l.net_minor, l.tax_minor)

-- fault: issued without parties, dates or lines
SELECT id FROM invoice
WHERE status <> 'draft' AND (
    number IS NULL OR seller IS NULL OR buyer IS NULL OR issued_at IS NULL OR issue_date IS NULL
    OR due_date IS NULL OR due_date < issue_date OR jsonb_array_length(lines) = 0
)

-- fault: a credit note without a void invoice, or the other way round
SELECT number FROM invoice
WHERE (status = 'void') <> (credit_note_number IS NOT NULL)
    OR credit_note_number <> number || '-CN' OR credit_note_date < issue_date

-- money

-- fault: balance is not gross minus paid (nothing when void)
SELECT number FROM invoice
WHERE balance_minor <> CASE status WHEN 'void' THEN 0 ELSE total_gross_minor - paid_minor END

-- fault: paid is not the sum of its payments without what was overpaid
SELECT i.number FROM invoice i LEFT JOIN paid p ON p.invoice_id = i.id WHERE i.paid_minor <> coalesce(p.minor, 0)

-- fault: status and amounts disagree
SELECT number FROM invoice
WHERE (status = 'paid') <> (paid_at IS NOT NULL) OR status <> CASE
    WHEN status IN ('draft', 'void') AND paid_minor = 0 THEN status
    WHEN balance_minor = 0 THEN 'paid'
    WHEN paid_minor > 0 THEN 'partially_paid'
    WHEN status = 'overdue' THEN 'overdue'
    ELSE 'issued'
END

-- positions, charges, usage

-- fault: charged twice
SELECT subscription_id || ' at ' || period_start FROM position
GROUP BY subscription_id, kind, period_start, source HAVING count(*) > 1

-- fault: a line and its position differ
SELECT l.number FROM line l LEFT JOIN position p ON p.id = l.position_id
WHERE l.position_id IS NOT NULL
    AND (p.invoice_id, p.net_minor, p.currency, p.tax_category, p.subscription_id, p.user_id)
    IS DISTINCT FROM (l.invoice_id, l.net_minor, l.currency, l.tax_category, l.subscription_id, l.user_id)

-- fault: a line's subscription is not among its invoice's
SELECT number FROM line WHERE subscription_id IS NOT NULL AND NOT subscription_id = ANY(subscription_ids)

-- fault: is not on exactly one invoice line (on none while it is open or came to nothing)
SELECT 'position ' || p.id FROM position p
LEFT JOIN (SELECT position_id, count(*) AS n FROM line GROUP BY position_id) AS l ON l.position_id = p.id
WHERE coalesce(l.n, 0) <> (p.invoice_id IS NOT NULL)::int

-- fault: is closed without an invoice though it came to something, or open though it came to nothing
SELECT 'position ' || id FROM position WHERE (closed_at IS NOT NULL) <> (invoice_id IS NOT NULL OR net_minor = 0)

-- fault: is not its share of its price, rounded
SELECT 'position ' || id FROM position
WHERE share_numerator > share_denominator
    OR abs(2 * price_minor::numeric * share_numerator - 2 * net_minor::numeric * share_denominator) > share_denominator

-- fault: has another owner or currency than its subscription
SELECT 'position ' || p.id FROM position p JOIN subscription s ON s.id = p.subscription_id
WHERE p.user_id <> s.user_id OR p.currency <> s.terms ->> 'currency'

-- fault: charges leave a gap or overlap
SELECT s.number || ' at ' || c.period_start FROM charge c JOIN subscription s ON s.id = c.subscription_id
WHERE c.period_end <= c.period_start OR c.period_start IS DISTINCT FROM coalesce(c.end_before, s.anchor)

-- fault: charges don't end where it is charged through
SELECT s.number FROM subscription s LEFT JOIN charge c ON c.subscription_id = s.id AND c.following IS NULL
WHERE s.charged_through IS DISTINCT FROM coalesce(c.period_end, s.anchor)
    OR s.ended_at IS NOT NULL AND s.charged_through <> s.ended_at
    OR s.ended_at IS NULL AND NOT s.charged_through BETWEEN s.period_start AND s.period_end

-- fault: is billed by no position, a wrong one or several
SELECT 'usage ' || coalesce(u.id::text, p.source)
FROM usage u FULL JOIN (SELECT * FROM position WHERE kind = 'usage') AS p ON p.source = u.id::text
WHERE (p.id IS NOT NULL OR u.position_id IS NOT NULL)
    AND (u.position_id, u.cost_minor, u.subscription_id) IS DISTINCT FROM (p.id, p.net_minor, p.subscription_id)

-- fault: is of an ended subscription and not billed
SELECT 'usage ' || u.id FROM usage u JOIN subscription s ON s.id = u.subscription_id
WHERE s.status = 'canceled' AND u.position_id IS NULL

-- fault: status and dates disagree
SELECT number FROM subscription
WHERE (status = 'canceled') <> (ended_at IS NOT NULL)
    OR status = 'pending_cancel' AND (cancel_effective_at IS NULL OR cancel_requested_at IS NULL)
    OR status = 'active' AND (cancel_effective_at IS NOT NULL OR anchor IS NULL)

-- numbers

-- fault: is not a number that we draw
SELECT number FROM numbered WHERE series IS NULL

-- fault: numbers have gaps or doubles, or their range doesn't stand at the last
SELECT series FROM (
    SELECT series, count(*) AS total, count(DISTINCT n) AS different, min(n) AS low, max(n) AS high
    FROM numbered WHERE series IS NOT NULL GROUP BY series
) AS n FULL JOIN (SELECT series, last FROM number_ranges WHERE tenant_id = %(tenant)s) AS r USING (series)
WHERE (n.total, n.different, n.low, n.high) IS DISTINCT FROM (r.last, r.last, 1::bigint, r.last)

-- fault: is numbered in another year than it was issued in
SELECT number FROM numbered WHERE series <> 'INV-' || to_char(issue_date, 'YYYY')

-- fault: was issued before the number before it
SELECT number FROM (
    SELECT number, issued_at < lag(issued_at) OVER (PARTITION BY series ORDER BY n) AS early FROM numbered
) AS ordered WHERE early

-- journal

-- fault: is not in the journal as issued, once, with this total
SELECT coalesce(i.number, 'invoice ' || coalesce(i.id, e.id)) FROM invoice i FULL JOIN (
    SELECT entity_id AS id, array_agg((data ->> 'gross_minor')::bigint) AS totals
    FROM entry WHERE kind = 'invoice.issued' GROUP BY entity_id
) AS e ON e.id = i.id
WHERE e.totals IS DISTINCT FROM CASE WHEN i.status <> 'draft' THEN ARRAY[i.total_gross_minor] END

-- fault: is not in the journal as voided, once
SELECT i.number FROM invoice i LEFT JOIN (
    SELECT entity_id AS id, count(*) AS n FROM entry WHERE kind = 'invoice.voided' GROUP BY entity_id
) AS e ON e.id = i.id
WHERE coalesce(e.n, 0) <> (i.status = 'void')::int

-- fault: is not in the journal as accrued, once, with this amount
SELECT 'position ' || coalesce(p.id, e.id) FROM position p FULL JOIN (
    SELECT entity_id AS id, array_agg((data ->> 'net_minor')::bigint) AS amounts
    FROM entry WHERE kind = 'position.accrued' GROUP BY entity_id
) AS e ON e.id = p.id
WHERE e.amounts IS DISTINCT FROM ARRAY[p.net_minor]

-- fault: the tenant's head doesn't stand at the journal's last entry
SELECT 'entry ' || seq FROM tenant_heads
WHERE tenant_id = %(tenant)s AND seq <> (SELECT coalesce(max(seq), 0) FROM entry)

-- time

-- fault: not exactly one
SELECT 'timetable' FROM timetables WHERE tenant_id = %(tenant)s
HAVING count(*) <> 1 AND EXISTS (SELECT FROM entry)

-- fault: counts as billed before it has come
-- (the billing zone is the daemon's to know: its days begin up to 14 hours before UTC's)
SELECT billing_date_done::text FROM timetables
WHERE tenant_id = %(tenant)s
    AND billing_date_done > (coalesce(test_clock, now()) AT TIME ZONE 'UTC' + interval '14 hours')::date

-- fault: several scheduled runs are under way
SELECT 'billing' FROM billing_runs
WHERE tenant_id = %(tenant)s AND status <> 'done' AND billing_date IS NOT NULL
HAVING count(*) > 1
