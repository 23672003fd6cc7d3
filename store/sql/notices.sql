-- Notices and their deliveries. Every statement of the sender is cheap whatever is stored: partial indexes name what is open.

-- name: notice_insert
INSERT INTO notices (id, kind, severity, process_id, subscription_id, doc, dedupe, created_at)
VALUES (:id, :kind, :severity, CAST(:process_id AS text), CAST(:subscription_id AS text), :doc, CAST(:dedupe AS text), :now)

-- name: notice_new
SELECT n.id, n.kind, n.severity, n.process_id, n.subscription_id, n.doc, n.created_at,
       s.product, s.customer_id, s.description
FROM notices n LEFT JOIN subscriptions s ON s.id = n.subscription_id
WHERE n.routed = 0 ORDER BY n.id LIMIT CAST(:most AS bigint)

-- name: notice_routed
UPDATE notices SET routed = 1 WHERE id = :id

-- name: notice_get
SELECT n.id, n.kind, n.severity, n.process_id, n.subscription_id, n.doc, n.created_at,
       s.product, s.customer_id, s.description
FROM notices n LEFT JOIN subscriptions s ON s.id = n.subscription_id
WHERE n.id = :id

-- name: notice_lost_executors
SELECT x.incarnation, x.name, x.host, x.expires_at,
       (SELECT count(*) FROM processes p WHERE p.lease_owner = x.incarnation) AS claims
FROM executors x
WHERE x.retired_at IS NULL AND x.expires_at < lp_now() AND x.expires_at > CAST(:since AS bigint)
  AND NOT EXISTS (SELECT 1 FROM notices n WHERE n.dedupe = 'executor:' || x.incarnation)
ORDER BY x.expires_at LIMIT 20

-- name: delivery_insert
INSERT INTO deliveries (id, notice_id, target, kind, status, next_at, error, created_at, ended_at)
VALUES (:id, :notice_id, :target, :kind, :status, :now, CAST(:error AS text), :now, CAST(:ended AS bigint))

-- How many single messages a target got lately; the rest is held for a digest.
-- name: delivery_recent
SELECT count(*) AS n FROM (
  SELECT 1 AS one FROM deliveries WHERE target = :target AND created_at > CAST(:since AS bigint) AND status IN ('pending', 'sent', 'dead')
     AND kind = 'single' LIMIT CAST(:most AS bigint)) AS t

-- name: delivery_held_targets
SELECT target, min(created_at) AS oldest FROM deliveries WHERE status = 'held' GROUP BY target

-- name: delivery_held
SELECT id, notice_id, created_at FROM deliveries WHERE status = 'held' AND target = :target
ORDER BY created_at, id LIMIT CAST(:most AS bigint)

-- name: delivery_digest
UPDATE deliveries SET status = 'digested', digest_id = :digest_id, ended_at = CAST(:now AS bigint)
WHERE status = 'held' AND target = :target AND (created_at, id) <= (CAST(:upto AS bigint), CAST(:upto_id AS text))

-- :aside names targets that rest or are being sent to, as ",a,b,": a thousand messages for one of them keep nobody else waiting.
-- name: delivery_next
SELECT next_at, target FROM deliveries
WHERE status = 'pending' AND replace(CAST(:aside AS text), ',' || target || ',', '') = CAST(:aside AS text)
ORDER BY next_at LIMIT 1

-- Oldest first; what failed is due later, behind what has waited.
-- name: delivery_due_of
SELECT id, notice_id, target, kind, attempts, created_at FROM deliveries
WHERE status = 'pending' AND target = :target AND next_at <= CAST(:now AS bigint)
ORDER BY next_at, created_at, id LIMIT CAST(:most AS bigint)

-- The claim of one attempt: whoever counts it up sends it. Should the program die meanwhile, it is due again at next_at.
-- name: delivery_claim
UPDATE deliveries SET attempts = attempts + 1, next_at = CAST(:until AS bigint)
WHERE id = :id AND status = 'pending' AND attempts = CAST(:attempts AS bigint)

-- name: delivery_sent
UPDATE deliveries SET status = 'sent', error = NULL, ended_at = CAST(:now AS bigint) WHERE id = :id AND status = 'pending'

-- name: delivery_failed
UPDATE deliveries SET status = CAST(:status AS text), error = CAST(:error AS text), next_at = CAST(:next AS bigint),
  ended_at = CAST(:ended AS bigint)
WHERE id = :id AND status = 'pending'

-- What a digest stands for.
-- name: delivery_digest_counts
SELECT n.kind, n.severity, count(*) AS n FROM deliveries d JOIN notices n ON n.id = d.notice_id
WHERE d.digest_id = :id GROUP BY n.kind, n.severity ORDER BY n.kind, n.severity

-- name: delivery_digest_items
SELECT n.id, n.kind, n.severity, n.process_id, n.subscription_id, n.doc, n.created_at,
       s.product, s.customer_id, s.description
FROM deliveries d JOIN notices n ON n.id = d.notice_id LEFT JOIN subscriptions s ON s.id = n.subscription_id
WHERE d.digest_id = :id ORDER BY d.created_at, d.id LIMIT CAST(:most AS bigint)

-- name: delivery_list
SELECT d.id, d.notice_id, d.target, d.kind AS form, d.status, d.attempts, d.next_at, d.error, d.digest_id, d.created_at, d.ended_at,
       n.kind, n.severity, n.process_id, n.subscription_id, n.doc
FROM deliveries d LEFT JOIN notices n ON n.id = d.notice_id
ORDER BY d.created_at DESC, d.id DESC LIMIT CAST(:most AS bigint)

-- name: delivery_list_status
SELECT d.id, d.notice_id, d.target, d.kind AS form, d.status, d.attempts, d.next_at, d.error, d.digest_id, d.created_at, d.ended_at,
       n.kind, n.severity, n.process_id, n.subscription_id, n.doc
FROM deliveries d LEFT JOIN notices n ON n.id = d.notice_id
WHERE d.status = :status ORDER BY d.created_at DESC, d.id DESC LIMIT CAST(:most AS bigint)

-- name: delivery_of_notice
SELECT d.id, d.notice_id, d.target, d.kind AS form, d.status, d.attempts, d.next_at, d.error, d.digest_id, d.created_at, d.ended_at,
       n.kind, n.severity, n.process_id, n.subscription_id, n.doc
FROM deliveries d JOIN notices n ON n.id = d.notice_id
WHERE d.notice_id = :id ORDER BY d.target

-- name: notice_state
SELECT routed FROM notices WHERE id = :id

-- name: delivery_counts
SELECT (SELECT count(*) FROM deliveries WHERE status = 'pending') AS pending,
       (SELECT count(*) FROM deliveries WHERE status = 'held') AS held,
       (SELECT count(*) FROM deliveries WHERE status = 'dead') AS dead

-- name: retention_deliveries
DELETE FROM deliveries WHERE id IN (
  SELECT id FROM deliveries WHERE created_at < CAST(:cutoff AS bigint) ORDER BY created_at, id LIMIT CAST(:most AS bigint))

-- name: retention_notices
DELETE FROM notices WHERE id IN (
  SELECT id FROM notices WHERE created_at < CAST(:cutoff AS bigint) ORDER BY created_at, id LIMIT CAST(:most AS bigint))
