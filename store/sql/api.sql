-- Statements of the HTTP API: catalogue texts, headers, metrics. Tokens stand in tokens.sql.

-- name: api_catalog_texts
SELECT kind, id, description, status, created_at, end_date FROM catalog_texts;

-- name: api_catalog_text_set
INSERT INTO catalog_texts (kind, id, name, description, status, created_at, end_date)
VALUES (:kind, :id, :name, :description, :status, :now, :end_date)
ON CONFLICT (kind, id) DO UPDATE SET description = excluded.description, status = excluded.status, end_date = excluded.end_date;

-- name: api_product_open
SELECT COUNT(*) AS n FROM subscriptions WHERE product_id = :id AND status <> 'terminated';

-- name: api_subscription_header
SELECT id, product_id, product, customer_id, description, status, insync, start_date, end_date, note, version, created_at
FROM subscriptions WHERE id = :id;

-- Whole tables, read at most for a hundredth of the time (api/metrics.c). :customers 0 leaves the ids out.
-- name: api_metrics_subscriptions
SELECT product, status, CASE WHEN CAST(:customers AS bigint) = 1 THEN customer_id ELSE '' END AS customer_id, insync, COUNT(*) AS n
FROM subscriptions GROUP BY 1, 2, 3, 4;

-- Each process counts once, whatever it is linked to, tasks without a subscription included. What has ended hardly changes and is most
-- of the table; what is under way is little, and found by the index on status.
-- name: api_metrics_ended
SELECT g.status, g.is_task, g.workflow, g.target, g.product, g.customer_id, COUNT(*) AS n, SUM(g.us) AS us FROM (
  SELECT p.status AS status, p.is_task AS is_task, p.workflow AS workflow, p.target AS target, p.modified_at - p.created_at AS us,
         s.product AS product, CASE WHEN CAST(:customers AS bigint) = 1 THEN s.customer_id ELSE '' END AS customer_id
  FROM processes p
  LEFT JOIN subscriptions s ON s.id = (SELECT MIN(l.subscription_id) FROM process_subscriptions l WHERE l.process_id = p.id)
  WHERE p.status IN ('completed', 'aborted')
) g GROUP BY g.status, g.is_task, g.workflow, g.target, g.product, g.customer_id;

-- name: api_metrics_open
SELECT g.status, g.is_task, g.workflow, g.target, g.product, g.customer_id, COUNT(*) AS n, SUM(g.us) AS us FROM (
  SELECT p.status AS status, p.is_task AS is_task, p.workflow AS workflow, p.target AS target, p.modified_at - p.created_at AS us,
         s.product AS product, CASE WHEN CAST(:customers AS bigint) = 1 THEN s.customer_id ELSE '' END AS customer_id
  FROM processes p
  LEFT JOIN subscriptions s ON s.id = (SELECT MIN(l.subscription_id) FROM process_subscriptions l WHERE l.process_id = p.id)
  WHERE p.status IN ('created', 'running', 'resumed', 'suspended', 'waiting', 'awaiting_callback', 'failed', 'api_unavailable',
                     'inconsistent_data')
) g GROUP BY g.status, g.is_task, g.workflow, g.target, g.product, g.customer_id;

-- name: api_metrics_queue
SELECT COUNT(*) AS n, MIN(modified_at) AS oldest FROM processes
WHERE status IN ('created', 'resumed') AND lease_owner IS NULL;

-- name: api_metrics_outbox
SELECT COUNT(*) AS n FROM outbox WHERE seq IS NULL;

-- In how many documents a phrase is, counted up to a bound.
-- name: api_phrase sqlite
SELECT COUNT(*) AS n FROM (SELECT 1 FROM search_words WHERE search_words MATCH CAST(:match AS text) LIMIT CAST(:most AS bigint)) t;

-- name: api_phrase postgres
SELECT COUNT(*) AS n FROM (SELECT 1 FROM blocks b WHERE to_tsvector('simple', left(b.doc, 200000)) @@ to_tsquery('simple', CAST(:match AS text))
  LIMIT CAST(:most AS bigint)) t;
