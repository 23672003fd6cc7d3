-- What operators ask about the engine as a whole. Every statement reads small things only: live executors, processes that are under way
-- (found by the index on status), what partial indexes name.

-- name: op_executors
SELECT x.incarnation, x.name, x.host, x.labels, x.version, x.threads, x.started_at, x.renewed_at, x.expires_at, x.retired_at, lp_now() AS now,
       (SELECT count(*) FROM processes p WHERE p.lease_owner = x.incarnation) AS claims,
       (SELECT d.reason FROM executor_drains d WHERE d.name = x.name) AS drain_reason,
       (SELECT d.drained_by FROM executor_drains d WHERE d.name = x.name) AS drained_by,
       (SELECT count(*) FROM leases l WHERE l.owner = x.incarnation AND l.name = 'scheduler' AND l.expires_at > lp_now()) AS schedules
FROM executors x
WHERE x.retired_at IS NULL OR CAST(:all AS bigint) = 1
ORDER BY x.retired_at IS NOT NULL, x.name, x.started_at DESC LIMIT 1000

-- name: op_leases
SELECT l.name, l.owner, l.epoch, l.taken_at, l.renewed_at, l.expires_at, lp_now() AS now, x.name AS executor, x.host
FROM leases l LEFT JOIN executors x ON x.incarnation = l.owner ORDER BY l.name

-- Nobody works on them, and nothing else has to happen first.
-- name: op_queue
SELECT COALESCE(p.label, '') AS label, p.is_task, count(*) AS n, min(p.modified_at) AS oldest,
       (SELECT count(*) FROM executors x WHERE x.retired_at IS NULL AND x.expires_at > lp_now()
           AND NOT EXISTS (SELECT 1 FROM executor_drains d WHERE d.name = x.name)
           AND (p.label IS NULL OR replace(x.labels, ',' || p.label || ',', '') <> x.labels)) AS executors
FROM processes p
WHERE p.status IN ('created', 'running', 'resumed')
  AND (p.lease_owner IS NULL OR NOT EXISTS (SELECT 1 FROM executors x WHERE x.incarnation = p.lease_owner
                                            AND x.retired_at IS NULL AND x.expires_at > lp_now()))
GROUP BY p.label, p.is_task ORDER BY p.label, p.is_task

-- name: op_waiting
SELECT COALESCE(p.wait_kind, '') AS kind, COALESCE(p.label, '') AS label, count(*) AS n, min(p.modified_at) AS oldest
FROM processes p WHERE p.status = 'waiting' GROUP BY p.wait_kind, p.label ORDER BY p.wait_kind, p.label

-- name: op_now
SELECT lp_now() AS now

-- ---- what the doctor looks for: id and a few words of each, at most :most ----

-- Claimed by an incarnation that does not live any more. An executor takes them over within a lease; none that lives could.
-- name: doc_orphans
SELECT p.id, p.workflow || ', ' || p.status AS what FROM processes p
WHERE p.lease_owner IS NOT NULL AND p.status NOT IN ('completed', 'aborted')
  AND NOT EXISTS (SELECT 1 FROM executors x WHERE x.incarnation = p.lease_owner AND x.retired_at IS NULL
                  AND x.expires_at > lp_now())
ORDER BY p.created_at LIMIT CAST(:most AS bigint)

-- name: doc_owned_ends
SELECT p.id, p.workflow || ', ' || p.status AS what FROM processes p
WHERE p.lease_owner IS NOT NULL AND p.status IN ('completed', 'aborted') ORDER BY p.created_at LIMIT CAST(:most AS bigint)
-- name: doc_owned_ends_fix
UPDATE processes SET lease_owner = NULL WHERE lease_owner IS NOT NULL AND status IN ('completed', 'aborted')

-- name: doc_locks
SELECT l.subscription_id AS id, l.mode || ' lock of process ' || l.process_id AS what FROM process_locks l
LEFT JOIN processes p ON p.id = l.process_id
WHERE p.id IS NULL OR p.status IN ('completed', 'aborted') ORDER BY l.taken_at LIMIT CAST(:most AS bigint)
-- name: doc_locks_fix
DELETE FROM process_locks WHERE NOT EXISTS (
  SELECT 1 FROM processes p WHERE p.id = process_locks.process_id AND p.status NOT IN ('completed', 'aborted'))

-- name: doc_named
SELECT l.name AS id, 'held by process ' || l.process_id AS what FROM named_locks l LEFT JOIN processes p ON p.id = l.process_id
WHERE p.id IS NULL OR p.status IN ('completed', 'aborted') ORDER BY l.taken_at LIMIT CAST(:most AS bigint)
-- name: doc_named_fix
DELETE FROM named_locks WHERE NOT EXISTS (
  SELECT 1 FROM processes p WHERE p.id = named_locks.process_id AND p.status NOT IN ('completed', 'aborted'))

-- Waits for children, of which none is under way.
-- name: doc_parents
SELECT p.id, p.workflow || ' at ' || COALESCE(p.last_key, '?') AS what FROM processes p
WHERE p.status = 'waiting' AND p.wait_kind = 'children' AND (p.wake_at IS NULL OR p.wake_at < lp_now() - 60000000)
  AND NOT EXISTS (SELECT 1 FROM processes c WHERE c.parent_id = p.id AND c.status NOT IN ('completed', 'aborted'))
ORDER BY p.created_at LIMIT CAST(:most AS bigint)
-- name: doc_parents_fix
UPDATE processes SET wake_at = lp_now()
WHERE status = 'waiting' AND wait_kind = 'children' AND (wake_at IS NULL OR wake_at < lp_now() - 60000000)
  AND NOT EXISTS (SELECT 1 FROM processes c WHERE c.parent_id = processes.id AND c.status NOT IN ('completed', 'aborted'))

-- Waits for a time or a retry that nothing will tell it.
-- name: doc_sleepers
SELECT p.id, p.workflow || ' waits for ' || COALESCE(p.wait_kind, 'nothing') AS what FROM processes p
WHERE p.status = 'waiting' AND p.wake_at IS NULL AND COALESCE(p.wait_kind, '') IN ('', 'retry', 'timer', 'lock', 'condition', 'label')
ORDER BY p.created_at LIMIT CAST(:most AS bigint)
-- name: doc_sleepers_fix
UPDATE processes SET wake_at = lp_now()
WHERE status = 'waiting' AND wake_at IS NULL AND COALESCE(wait_kind, '') IN ('', 'retry', 'timer', 'lock', 'condition', 'label')

-- name: doc_labels
SELECT p.id, p.workflow || ' waits for an executor labelled ' || p.label AS what FROM processes p
WHERE p.status IN ('created', 'running', 'resumed', 'waiting') AND p.label IS NOT NULL
  AND NOT EXISTS (SELECT 1 FROM executors x WHERE x.retired_at IS NULL AND x.expires_at > lp_now()
                  AND replace(x.labels, ',' || p.label || ',', '') <> x.labels)
ORDER BY p.created_at LIMIT CAST(:most AS bigint)

-- name: doc_events
SELECT CAST(o.id AS text) AS id, 'not numbered' AS what FROM outbox o
WHERE o.seq IS NULL AND o.created_at < lp_now() - 60000000 ORDER BY o.id LIMIT CAST(:most AS bigint)

-- name: doc_requests
SELECT p.id, p.workflow || ': ' || p.requests || ' counted' AS what FROM processes p
WHERE p.status IN ('completed', 'aborted') AND p.requests > 0 ORDER BY p.created_at LIMIT CAST(:most AS bigint)
-- name: doc_requests_fix
UPDATE processes SET requests = 0 WHERE status IN ('completed', 'aborted') AND requests > 0

-- Differs from reality, and nobody is at it.
-- name: doc_drift
SELECT s.id, s.description AS what FROM subscriptions s
WHERE s.insync = 0 AND s.status <> 'terminated'
  AND NOT EXISTS (SELECT 1 FROM process_locks l WHERE l.subscription_id = s.id)
ORDER BY s.created_at, s.id LIMIT CAST(:most AS bigint)

-- name: doc_failed
SELECT p.id, p.workflow || ': ' || COALESCE(substr(p.failed_reason, 1, 100), p.status) AS what FROM processes p
WHERE p.status IN ('failed', 'inconsistent_data', 'api_unavailable') ORDER BY p.created_at DESC LIMIT CAST(:most AS bigint)

-- name: doc_dead_letters
SELECT d.id, d.target || ': ' || COALESCE(d.error, '') AS what FROM deliveries d
WHERE d.status = 'dead' AND d.created_at > lp_now() - 86400000000 ORDER BY d.id DESC LIMIT CAST(:most AS bigint)

-- name: doc_unrouted
SELECT n.id, n.kind AS what FROM notices n
WHERE n.routed = 0 AND n.created_at < lp_now() - 300000000 ORDER BY n.id LIMIT CAST(:most AS bigint)

-- name: doc_versions
SELECT x.name AS id, x.version AS what FROM executors x
WHERE x.retired_at IS NULL AND x.expires_at > lp_now() AND x.version <> CAST(:version AS text) LIMIT CAST(:most AS bigint)

-- name: doc_safety sqlite
SELECT 'on' AS fsync, 'on' AS commits
-- name: doc_safety postgres
SELECT current_setting('fsync') AS fsync, current_setting('synchronous_commit') AS commits
